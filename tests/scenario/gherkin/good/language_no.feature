# language: no
Egenskap: norsk
  Bakgrunn:
    Gitt en server
  Regel: r
    Scenario: s
      Når x
      Så y
      Og z
      Men w
