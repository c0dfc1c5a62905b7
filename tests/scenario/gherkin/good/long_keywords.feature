Feature: keywords within titles
  Scenario: Scenario: twice
    Given Given a
    When When: b
  Scenario Outline: Examples: no
    Then Feature: x
    Examples: Scenario: y
      | Given a |
      | And b |
