Feature: escapes
  Scenario: cells
    Given a table
      | a\|b | c\\d | e\nf |
      | \| | \\ | \n |
      | \x | a\\\|b | \\\\ |
      | \\n | | \ |
