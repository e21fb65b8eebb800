from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamasr.core.commands.wake import SLACK
from streamasr.edge.commands.sentences import Sentences
from streamasr.edge.commands.wake import make_spotter
from streamasr.errors import ConfigError
from tests.graphs import LEXICON, phones, toy_model

GRAPH = replace(
    toy_model(), pronounce=lambda words: {word: LEXICON[word] for word in words if word in LEXICON}
)
FILE = Sentences(Path("home.toml"))


def test_any_phrase_becomes_a_spotter() -> None:
    spotter = make_spotter("Turn lights!", {}, GRAPH, FILE)
    assert spotter is not None
    assert spotter.threshold == pytest.approx(-7 * SLACK)
    assert spotter.push(phones("SIL T ER N L AY T S SIL"))
    assert make_spotter(None, {}, GRAPH, FILE) is None
    chosen = make_spotter(None, {"phrase": "zorkmid lights", "threshold": -2}, GRAPH, FILE)
    assert chosen is not None
    assert chosen.threshold == -2


@pytest.mark.parametrize(
    ("phrase", "table", "complaint"),
    [
        ("on", {}, "too short"),
        ("привет", {}, "cannot be spoken"),
        ("...", {}, "nobody knows how to say nothing"),
        (None, {"word": "x"}, "wake: unknown: word"),
        ("turn lights", {"threshold": 1}, "wake.threshold is 0 or less"),
    ],
)
def test_what_cannot_be_a_wake_phrase_is_refused(
    phrase: str | None, table: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make_spotter(phrase, table, GRAPH, FILE)
