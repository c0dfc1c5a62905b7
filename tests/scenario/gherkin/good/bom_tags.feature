@a @b
Feature: a mark before tags
