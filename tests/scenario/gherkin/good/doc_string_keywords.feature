Feature: keywords within
  Scenario: s
    Given text
      """
      Feature: no
      @tag
      # comment
      Scenario: no
        Given no
      | no |
      Examples:
      """
    Then it goes on
