@feature @two@three
  @on-a-line-of-its-own   #comment @not-a-tag
@with#hash
Feature: tags
  @a @b
  @c

  @d
  Scenario: s
    Given x

  @e	@f
  Scenario Outline: o
    Given <y>
    @g @h
    @i
    Examples: first
      | y |
      | 1 |
    @j
    Examples: second
      | y |
      | 2 |
