Feature: f
  Rule: r
    Scenario: s
      * a step
