Feature: f
  @tag
  Background:
    Given a
