# a comment first
# language: en
Feature: f
# language: de
  Scenario: s
    Given a
