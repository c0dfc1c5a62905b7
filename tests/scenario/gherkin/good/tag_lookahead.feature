Feature: whose tags are these
  Scenario Outline: first
    Given <a>

    @examples

    # a comment between
    @more
    Examples:
      | a |
      | 1 |

    @next
    # another

    @scenario
  Scenario: second
    Given b

  @of
  # the
  @rule
  Rule: r
    @x
    Scenario: s
