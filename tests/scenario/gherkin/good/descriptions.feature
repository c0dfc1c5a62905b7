Feature: descriptions everywhere
  The first line
    an indented one

  a second paragraph   
  \# not a comment

  Background: with words
    Words of the background.

    Given a server

  Scenario: with words
    Words of the scenario
    * not a step? it is
    Given a device

  Scenario Outline: with words
    Words of the outline

    Given <x>

    Examples: with words
      Words of the examples
      on two lines

      | x |
      | 1 |


