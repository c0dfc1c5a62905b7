Feature: f
  Examples:
    | a |
    | 1 |
  Scenario: s
    Given a
