# language: ht
Karakteristik: k
  Senaryo: s
    Sipoze a
    Sipoze ke b
    Lè c
    Le sa a d
    Ak e
    Epi f
    Men g
