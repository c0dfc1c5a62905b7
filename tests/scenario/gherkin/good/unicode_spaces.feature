  Feature: odd spaces
　Scenario: s 
    Given a 
