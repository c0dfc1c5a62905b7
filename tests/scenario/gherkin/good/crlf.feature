@tag
Feature: windows
  words
  more

  Scenario: s
    Given text
      """
      a
      b
      """
    And table
      | a |
      | b |
