"""The wake phrase of a file of sentences, as a spotter."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice, product
from typing import Any

from streamasr.core.commands.wake import Spotter
from streamasr.core.graph import GraphModel
from streamasr.edge.commands.sentences import Sentences
from streamasr.edge.commands.templates import spoken_text
from streamasr.edge.lm.pronounce import Pronouncer
from streamasr.errors import ConfigError

WAYS = 8
"""Ways to say a phrase at most."""


def make_spotter(
    phrase: str | None, table: Mapping[str, Any], graph: GraphModel, sentences: Sentences
) -> Spotter | None:
    """The spotter of a phrase, or of the one in the table ``wake``; None without any.

    Raises ConfigError for what cannot be a wake phrase.
    """
    unknown = set(table) - {"phrase", "threshold"}
    if unknown:
        raise ConfigError(f"wake: unknown: {', '.join(sorted(unknown))}")
    phrase = phrase or table.get("phrase")
    if not phrase:
        return None
    threshold = table.get("threshold")
    if threshold is not None and (type(threshold) not in (int, float) or threshold > 0):
        raise ConfigError(f"wake.threshold is 0 or less, got {threshold!r}")
    words = spoken_text(str(phrase)).split()
    said = Pronouncer(graph.pronounce, sentences.pronunciations)(words)
    missing = [word for word in words if word not in said]
    if missing or not words:
        raise ConfigError(f"nobody knows how to say {', '.join(missing) or 'nothing'}")
    ways = list(islice(product(*(said[word] for word in words)), WAYS))
    return Spotter(ways, threshold)
