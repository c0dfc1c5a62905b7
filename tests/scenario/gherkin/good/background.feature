Feature: before each scenario
  Background: a server
    Given a server
    And a device

  Scenario: one
    When it registers

  Scenario: two
    When it updates
