#language:fr
Fonctionnalité: français
  Contexte:
    Étant donné que x
    Étant donné y
    Soit z
  Scénario: s
    Quand l'appareil
    Lorsqu'il part
    Alors b
    Et qu'il c
    Mais que d
