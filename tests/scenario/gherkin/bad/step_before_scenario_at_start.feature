Given a
Feature: f
