# language: em
📚: 😀
  💤:
    😐a server
  📕: x
    🎬y
    🙏z
    😂w
    😔v
