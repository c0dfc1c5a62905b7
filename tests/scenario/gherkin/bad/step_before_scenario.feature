Feature: f

  Scenario: s
    Given a

  nonsense here

    Then b
