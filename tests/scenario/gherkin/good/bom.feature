Feature: a mark first
  Scenario: s
    Given a
