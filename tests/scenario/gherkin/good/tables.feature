Feature: tables
  Scenario: cells
    Given a table
      | a | b |
      |c|d|
      |   | |
      ||   |
      | é | 漢字 |
    And one column
      | only |
    And words after the last pipe
      | a | b | c
      | d | e | f
