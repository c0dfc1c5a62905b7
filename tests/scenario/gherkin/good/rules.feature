Feature: rules
  Background: of the feature
    Given a server

  Scenario: outside
    Then it runs

  @rule @slow
  Rule: a device keeps its image
    Words of the rule
    on two lines.

    Background: of the rule
      Given a device

    @inside
    Scenario: inside
      Then it runs

    Example: an example
      Then it runs too

  Rule:
    Scenario Outline: <x>
      Given <x>
      Examples:
        | x |
        | 1 |

  Rule: empty
