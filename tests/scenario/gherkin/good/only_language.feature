# language: de
Funktionalität: Gerät
