Feature:
  Scenario:
    Given a device
  Scenario:   
