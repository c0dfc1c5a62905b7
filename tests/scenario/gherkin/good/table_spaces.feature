Feature: spaces of all kinds
  Scenario: cells
    Given a table
      |	a	| b |  c  |
      | 　d　 | e | f |
	| g | h | i |   
