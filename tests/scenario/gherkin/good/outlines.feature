Feature: outlines
  Scenario Outline: update to <version>
    Given firmware <version> of <size>
    When it downloads
      | block | <size> |
    Then it says
      """<type>
      <version>
      """

    Examples:
      | version | size | type |
      | 1.0.0   | 10   | text |
      | 2.0.0   |      | json |

    Examples: header alone
      | version | size | type |

    Examples: no table

  Scenario Template: synonym
    Given <a>
    Scenarios: synonym
      | a |
      | 1 |

  Scenario: a scenario with examples
    Given <a>
    Examples:
      | a |
      | 1 |
