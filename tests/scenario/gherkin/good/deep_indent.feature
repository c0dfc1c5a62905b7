            Feature: f
                  Scenario: s
                     Given a
  @t
       Scenario: u
	Given b
