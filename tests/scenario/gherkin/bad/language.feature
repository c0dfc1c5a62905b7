# language: klingonish
Feature: f
