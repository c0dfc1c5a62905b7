Feature: a device is known

  Scenario: it registers
    Given a device
