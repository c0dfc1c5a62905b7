---
clock: fast
---
Feature: f
  Scenario: s
    Given `${1 +}`
