@größe @漢字 @😀
Feature: Ünïcödé 😀 漢字
  Wörter 😀

  Scenario: 😀😀
    Given 😀 a
      | 😀 | b | é |
      | a😀b | c | 😀 |
    @😀a @b
  Scenario: after
    Given x
