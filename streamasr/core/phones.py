"""The phones of the acoustic model's second head, and their labels in a search graph."""

from __future__ import annotations

# fmt: off
PHONES = (
    "SIL", "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G",
    "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH",
    "UH", "UW", "V", "W", "Y", "Z", "ZH",
)
# fmt: on
"""ARPAbet without stress, silence first: the classes of the phone head."""
PHONE_IDS = {phone: index for index, phone in enumerate(PHONES)}
SILENCE = 0
VOWELS = tuple(phone for phone in PHONES if phone[0] in "AEIOU")

STAY = 1
"""Graph labels from here: one more emission of the phone that sounds."""
ENTER = STAY + len(PHONES)
"""From here: the first emission of a phone inside a word, or of silence."""
START_WORD = ENTER + len(PHONES)
"""From here: the first emission of a word."""
LABELS = 3 * len(PHONES)
