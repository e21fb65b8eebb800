"""Ways to type into other programs, where the focus is, and the socket of a dictation."""
