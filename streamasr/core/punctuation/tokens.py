"""What the punctuation network reads and says: words as hashed features, marks, cases.

features("hello")       # (9153, 4026, 17211, 19460)

No list of words: a word is two places in one table, and its first and last letters two in
another, so that a name never seen before still has its ending.
"""

from __future__ import annotations

from enum import IntEnum
from zlib import crc32

WORD_BITS, AFFIX_BITS = 14, 12
BUCKETS = (1 << WORD_BITS) + (1 << AFFIX_BITS)
"""Rows of the table of embeddings."""
FEATURES = 4
"""Rows that are added up for a token."""
AFFIX = 3
"""Letters of a beginning or an ending."""


class Mark(IntEnum):
    """What is written after a word."""

    NONE = 0
    COMMA = 1
    STOP = 2
    QUESTION = 3


class Case(IntEnum):
    """How a word is written where no sentence begins with it."""

    LOWER = 0
    CAPITAL = 1
    UPPER = 2


WRITTEN = {Mark.COMMA: ",", Mark.STOP: ".", Mark.QUESTION: "?"}

PAUSE = "<pause>"
"""The token of an utterance's end."""
NUMBER = "<number>"
"""The token of whatever has a digit in it."""
SPOKEN = {Mark.COMMA: "<,>", Mark.STOP: "<.>", Mark.QUESTION: "<?>"}
"""Tokens of marks that the speaker named."""


def features(token: str) -> tuple[int, int, int, int]:
    """Rows of the table for a word in lower case, or for one of the tokens above."""
    whole = crc32(token.encode())
    # the bits of one checksum are independent; two checksums of one length would not be
    words = (1 << WORD_BITS) - 1
    affixes = (1 << AFFIX_BITS) - 1
    return (
        whole & words,
        whole >> WORD_BITS & words,
        words + 1 + (crc32(f"^{token[:AFFIX]}".encode()) & affixes),
        words + 1 + (crc32(f"{token[-AFFIX:]}$".encode()) & affixes),
    )
