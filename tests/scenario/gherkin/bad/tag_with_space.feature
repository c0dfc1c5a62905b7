@a b @c
Feature: f
  @d e
  Scenario: s
    Given a
