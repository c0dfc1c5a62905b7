Feature: f
  Scenario: s
    Given a
Feature: g
  Scenario: t
    Given b
