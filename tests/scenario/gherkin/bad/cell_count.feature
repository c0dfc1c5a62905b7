Feature: f
  Scenario Outline: s
    Given a
      | a | b |
      | c |
    Examples:
      | x |
      | 1 | 2 |
