"""A toy language model as a search graph, and phones said into it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from streamasr.app.lm.estimate import count, estimate
from streamasr.core.graph import GraphModel, SearchOptions
from streamasr.core.model import Emissions
from streamasr.core.phones import PHONE_IDS, PHONES
from streamasr.core.units import BLANK_SYMBOL, Speller, Units
from streamasr.edge.bundle import ARPA_FILE, FACTS_FILE, LEXICON_FILE, checksum
from streamasr.edge.lm.arcs import Graph
from streamasr.edge.lm.arpa import write_arpa
from streamasr.edge.lm.compact import compact
from streamasr.edge.lm.graph import build_graph
from streamasr.edge.lm.lexicon import Lexicon, write_lexicon
from streamasr.edge.lm.ngram import SPECIAL

LEXICON: Lexicon = {
    "turn": [("T", "ER", "N")],
    "on": [("AA", "N")],
    "off": [("AO", "F")],
    "the": [("DH", "AH")],
    "light": [("L", "AY", "T")],
    "lights": [("L", "AY", "T", "S")],
}
TEXT = [line.split() for line in ("turn on the light", "turn off the lights", "turn the light off")]
WORDS = (*SPECIAL, *LEXICON)
SPOKEN = "SIL SIL T ER ER N AA N DH AH L L AY AY T SIL SIL SIL SIL SIL SIL SIL SIL SIL SIL"
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
UNITS = Units((BLANK_SYMBOL, "▁t", "ig", "igh", "▁l", "ight", "▁light", "▁", *LETTERS))


def toy_arcs() -> Graph:
    return build_graph(estimate(WORDS, count(TEXT, WORDS, 3)), LEXICON)


GRAPH = compact(toy_arcs(), WORDS)


def toy_model(**options: Any) -> GraphModel:
    dials = {"settle": 4, "phone_cost": 0.0, "word_cost": 0.0} | options
    priors = np.full(len(PHONES), -np.log(len(PHONES)), np.float32)
    return GraphModel(GRAPH, priors, Speller(UNITS), options=SearchOptions(**dials))


def phones(spoken: str = SPOKEN, sure: float = 0.9) -> NDArray[np.float32]:
    """Log posteriors [emissions, phones] of phones, each ``sure``."""
    ids = [PHONE_IDS[name] for name in spoken.split()]
    out = np.full((len(ids), len(PHONES)), (1 - sure) / (len(PHONES) - 1), np.float32)
    out[np.arange(len(ids)), ids] = sure
    return np.log(out)


def muddle(spoken: str = SPOKEN, seed: int = 0, noise: float = 1.0) -> NDArray[np.float32]:
    """The same, disturbed."""
    rng = np.random.default_rng(seed)
    clear = phones(spoken, 0.5)
    logs = clear + noise * rng.standard_normal(clear.shape).astype(np.float32)
    return logs - np.logaddexp.reduce(logs, axis=1, keepdims=True)


def units(text: str, rows: int) -> NDArray[np.float32]:
    """Log-probabilities [rows, units] in which the units of a text are clear, early on."""
    out = np.full((rows, len(UNITS)), 0.001, np.float32)
    speller = Speller(UNITS)
    ids = [unit for word in text.split() for unit in speller.spell(word)]
    best = np.zeros(rows, np.int64)
    if ids:
        best[np.linspace(0, 0.6 * (rows - 1), 2 * len(ids)).astype(int)[::2]] = ids
    out[np.arange(rows), best] = 0.9
    return np.log(out)


def emissions(spoken: str = SPOKEN, text: str = "", sure: float = 0.9) -> Emissions:
    heard = phones(spoken, sure)
    return Emissions(units(text, len(heard)), heard)


def add_language_model(folder: Path) -> None:
    """Put the toy language model into a bundle."""
    (folder / "lm").mkdir()
    write_arpa(estimate(WORDS, count(TEXT, WORDS, 3)), folder / ARPA_FILE)
    write_lexicon(LEXICON, folder / LEXICON_FILE)
    file = folder / FACTS_FILE
    info = tomllib.loads(file.read_text())
    info["checksums"] |= {name: checksum(folder / name) for name in (ARPA_FILE, LEXICON_FILE)}
    info["graph"] = {
        "delay": 1.5,
        "log_priors": [float(-np.log(len(PHONES)))] * len(PHONES),
        "search": {"settle": 8},
        "calibration": {},
    }
    file.write_text(tomli_w.dumps(info))
