Feature: Table

  Scenario: one
    Given I store `1` into `x`
      | a | b |
