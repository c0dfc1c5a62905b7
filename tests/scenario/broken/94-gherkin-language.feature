# language: ge
Feature: f
