Feature: f
  Scenario: s
    Given 
    * 
    When x
