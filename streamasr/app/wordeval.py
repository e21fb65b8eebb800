"""What a word classifier gets right on a folder of recordings, without torch.

confusion = measure_words(WordClassifier(load_words(path)), utterances)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from streamasr.app.manifest import Utterance
from streamasr.app.surroundings import Place
from streamasr.app.table import print_table
from streamasr.app.train.classify.cutting import read_window
from streamasr.app.train.classify.examples import spell
from streamasr.app.train.classify.report import Confusion
from streamasr.core.commands.words import OTHER
from streamasr.edge.words import WordClassifier
from streamasr.errors import UsageError

AT_ONCE = 32
NOWHERE = Place(None, [], [])


def measure_words(
    classifier: WordClassifier,
    utterances: Sequence[Utterance],
    place: Place = NOWHERE,
    *,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Confusion:
    """Classify the loudest window of every recording whose text is a word of the classifier,
    as it is heard at a place.

    Other texts are of no word where it learnt what that is, and left out else. Raises UsageError
    where nothing is left.
    """
    labels = classifier.bundle.labels
    classes = {label: number for number, label in enumerate(labels)}
    truths = [(u, classes.get(spell(u.text), classes.get(OTHER))) for u in utterances]
    known = [(utterance, truth) for utterance, truth in truths if truth is not None]
    if not known:
        raise UsageError(
            "no recording is of a word that the classifier knows",
            remedy=f"it knows {', '.join(classifier.bundle.words)}",
        )
    taken: list[int] = []
    for start in range(0, len(known), AT_ONCE):
        some = known[start : start + AT_ONCE]
        cut = (read_window(u.path, classifier.bundle.window) for u, _ in some)
        windows = np.stack([place.put(w, u.id) for w, (u, _) in zip(cut, some, strict=True)])
        taken += classifier(windows).argmax(axis=1).tolist()
        on_progress(len(taken))
    return Confusion.count(labels, [truth for _, truth in known], taken)


def print_classes(figures: dict[str, Any]) -> None:
    """Print precision and recall of every class, and of all on average."""
    rows = [
        (label, str(row["examples"]), f"{row['precision']:.2%}", f"{row['recall']:.2%}")
        for label, row in figures["classes"].items()
    ]
    mean = f"{figures['precision']:.2%}", f"{figures['recall']:.2%}"
    rows.append(("all", str(figures["examples"]), *mean))
    print_table(("WORD", "RECORDINGS", "PRECISION", "RECALL"), rows, right=(1, 2, 3))
    print(f"\n{figures['accuracy']:.2%} of all are right")
