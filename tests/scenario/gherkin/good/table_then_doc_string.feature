Feature: both
  Scenario: table first
    Given a step
      | a |
      """
      text
      """
  Scenario: doc string first
    Given a step
      """
      text
      """
      | a |
