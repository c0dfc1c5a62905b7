Feature: f
  Scenario: s
    Given a
    nonsense
  Scenario: t
    Given b
    more nonsense
