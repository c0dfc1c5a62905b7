Feature: keywords
  Scenario: all of them
    Given a
    When b
    Then c
    And d
    But e
    * f
