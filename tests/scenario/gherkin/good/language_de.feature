   #   language  :  de   
@tag
Funktionalität: deutsch
  Grundlage: g
    Angenommen ein Server
    Gegeben sei ein Gerät
  Szenariogrundriss: s
    Wenn <a>
    Dann b
    Und c
    Aber d
    Beispiele:
      | a |
      | 1 |
