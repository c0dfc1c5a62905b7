Feature: mixed
  Scenario: s
    Given a
    And b
    And cd

    Then e