# 1
@tag # 2
# 3
Feature: f
# 4
  Background:
  # 5
    Given a
    # 6
    | a |
    # 7
    | b |
  # 8
  @x
  # 9
  Scenario Outline: s
    # 10
    Given b
    """
    # not a comment
    """
    # 11
    @y
    # 12
    Examples:
    # 13
    | a |
    # 14
    | 1 |
    # 15
# 16