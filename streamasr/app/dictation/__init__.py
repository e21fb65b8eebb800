"""Dictation: from the microphone into the window that has the focus."""
