# language: en-pirate
Ahoy matey!: firmware
  Yo-ho-ho: a ship
    Gangway! a device
  Heave to: update
    Blimey! it loads
    Let go and haul it boots
    Aye more
    Avast! less
