Feature: f
  Scenario: s
    Given text
"""
flush
  in
"""
    Then x
