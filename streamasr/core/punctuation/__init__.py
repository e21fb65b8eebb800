"""Marks and capitals for words that come without: a small network, a word at a time."""
