"""What wakes, as a spotter: any phrase, or a word of a classifier."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import islice, product
from pathlib import Path
from typing import Any

from streamasr.core.commands.wake import Spotter
from streamasr.core.commands.words import WordSpotter
from streamasr.core.graph import GraphModel
from streamasr.edge import bundle
from streamasr.edge.commands.sentences import Sentences
from streamasr.edge.commands.templates import spoken_text
from streamasr.edge.lm.pronounce import Pronouncer
from streamasr.edge.words import WordClassifier, load_words
from streamasr.errors import ConfigError

log = logging.getLogger(__name__)

WAYS = 8
"""Ways to say a phrase at most."""
KEYS = frozenset(("phrase", "threshold", "model", "word"))


def make_spotter(
    phrase: str | None, table: Mapping[str, Any], graph: GraphModel, sentences: Sentences
) -> Spotter | WordSpotter | None:
    """The spotter of a phrase, or of what the table ``wake`` says; None without any.

    Raises ConfigError for what cannot be a wake phrase, BundleError for a model that is none.
    """
    unknown = set(table) - KEYS
    if unknown:
        raise ConfigError(f"wake: unknown: {', '.join(sorted(unknown))}")
    if phrase is None and "model" in table:
        return _classified(table, sentences.file)
    if phrase is None and "word" in table:
        raise ConfigError("wake.word is one of a classifier", remedy="wake.model = ..., or phrase")
    phrase = phrase or table.get("phrase")
    if not phrase:
        return None
    threshold = None if "model" in table else table.get("threshold")
    if threshold is not None and (type(threshold) not in (int, float) or threshold > 0):
        raise ConfigError(f"wake.threshold is 0 or less, got {threshold!r}")
    words = spoken_text(str(phrase)).split()
    said = Pronouncer(graph.pronounce, sentences.pronunciations)(words)
    missing = [word for word in words if word not in said]
    if missing or not words:
        raise ConfigError(f"nobody knows how to say {', '.join(missing) or 'nothing'}")
    ways = list(islice(product(*(said[word] for word in words)), WAYS))
    return Spotter(ways, threshold)


def wake_name(phrase: str | None, table: Mapping[str, Any]) -> str:
    """What wakes, for people; empty where nothing does."""
    said = phrase or table.get("phrase") or table.get("word") or ""
    if not said and table.get("model"):
        said = Path(str(table["model"])).name
    return str(said)


def _classified(table: Mapping[str, Any], file: Path) -> WordSpotter:
    if "phrase" in table:
        raise ConfigError("wake has a phrase and a model", remedy="take one of them out")
    name, word, threshold = table["model"], table.get("word"), table.get("threshold")
    if not isinstance(name, str) or not name:
        raise ConfigError(f"wake.model is the name or folder of a word classifier, got {name!r}")
    if word is not None and not isinstance(word, str):
        raise ConfigError(f"wake.word is a text, got {word!r}")
    if threshold is not None and (type(threshold) not in (int, float) or not 0 < threshold <= 1):
        raise ConfigError(f"wake.threshold of a model lies in 0..1, got {threshold!r}")
    beside = file.parent / name
    folder = beside if (beside / bundle.FACTS_FILE).is_file() else bundle.find(name)
    words = () if word is None else (" ".join(word.lower().split()),)
    loaded = load_words(folder)
    if not loaded.rejects:
        log.warning(
            "%s never learnt what is no word, and will hear %s in everything",
            loaded.path.name, " or ".join(loaded.words),
        )  # fmt: skip
    return WordClassifier(loaded).spotter(words, threshold)
