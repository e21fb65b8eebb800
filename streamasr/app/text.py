"""Text normalisation shared by training and scoring: lower case, words of a-z and '."""

from __future__ import annotations

import re
import unicodedata

_TYPOGRAPHIC = str.maketrans({"’": "'", "‘": "'", "-": " ", "–": " ", "—": " ", "&": " and "})
_KEPT = re.compile(r"[^a-z' ]+")
_LONE_APOSTROPHE = re.compile(r"(?<![a-z])'+|'+(?![a-z])")


def normalise(text: str) -> str:
    """Return lower-case words of a-z and inner apostrophes, separated by single spaces.

    >>> normalise("Mr. O’Brien's well-known café — “open”!")
    "mr o'brien's well known cafe open"
    """
    text = unicodedata.normalize("NFKD", text.translate(_TYPOGRAPHIC)).lower()
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = _LONE_APOSTROPHE.sub("", _KEPT.sub(" ", text.replace(".", "")))
    return " ".join(text.split())


def is_speakable(text: str) -> bool:
    """Say whether a transcript can be trained on as it is: digits have many readings."""
    return not any(c.isdigit() for c in text) and bool(normalise(text))
