Feature: Stand alone

  Scenario: one
    Given I store `1` into `x`

  Scenario: two
    Given I store `"${x}"` into `y`
