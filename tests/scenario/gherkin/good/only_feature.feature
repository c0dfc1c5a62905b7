Feature: nothing yet
