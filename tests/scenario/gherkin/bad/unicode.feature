Feature: 😀
  Scenario: s
    Given 😀
    😀 nonsense 漢字
