Feature: f
	Scenario: s
		Given text
			"""
			a
				b
		  c
			"""
