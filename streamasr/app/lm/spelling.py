"""Learns from a dictionary how letters are said; `edge.lm.spelling` is what comes of it."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from pathlib import Path

from streamasr.app.lm.align_letters import Graphone, align_letters
from streamasr.app.lm.estimate import choose_words, count, estimate
from streamasr.app.lm.prune import prune
from streamasr.edge.folders import cache_folder
from streamasr.edge.lm.lexicon import Lexicon
from streamasr.edge.lm.spelling import LetterReader

log = logging.getLogger(__name__)

ORDER = 6
GRAPHONES = 1000
"""The most frequent are kept; rarer ways to write are left to the others."""


class Speller(LetterReader):
    """Says words from their letters, and learns it from a dictionary."""

    @classmethod
    def learn(cls, lexicon: Lexicon, *, order: int = ORDER, threshold: float = 1e-8) -> Speller:
        """Learn from a dictionary; minutes for a hundred thousand words."""
        entries = [(word, phones) for word, said in lexicon.items() for phones in said[:2]]
        names = [[_name(g) for g in aligned] for aligned in align_letters(entries)]
        seen = Counter(name for word in names for name in word)
        words = choose_words(names, size=GRAPHONES, known=frozenset(seen))
        tables = count(names, words, order)
        return cls(prune(estimate(words, tables), tables, threshold))


def cached_speller(lexicon: Lexicon, cache: Path | None = None) -> Speller:
    """Learn the rules of a dictionary once; kept in the user's cache folder by default."""
    cache = cache or cache_folder()
    entries = "\n".join(f"{word} {said}" for word, said in sorted(lexicon.items()))
    digest = hashlib.sha256(entries.encode()).hexdigest()[:16]
    file = cache / f"spelling-{digest}.arpa.gz"
    if not file.is_file():
        log.warning("learning how letters are said, which is done once and takes some minutes")
        cache.mkdir(parents=True, exist_ok=True)
        Speller.learn(lexicon).write(file)
    return Speller.read(file)


def _name(graphone: Graphone) -> str:
    letter, phones = graphone
    return f"{letter}}}{'_'.join(phones)}"
