"""Is one system better than another on the same utterances? A paired bootstrap says.

Both systems heard the same speech, so hard utterances are hard for both and the
difference is known far better than either error rate (Bisani and Ney 2004). Utterances of
a speaker are alike: drawing whole speakers tells more honestly what another room full of
people would find, where there are enough of them.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamasr.app.evaluate import Decoded
from streamasr.app.wer import Errors
from streamasr.errors import UsageError

ROUNDS = 10_000
_DRAWN_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """Word error rate of a system less that of another; below zero the first is better."""

    clusters: int
    difference: float
    low: float
    high: float
    better: float
    """Probability that the first makes fewer errors; equal counts are half a win."""


def paired_bootstrap(
    ours: Sequence[Errors],
    theirs: Sequence[Errors],
    clusters: Iterable[Hashable],
    *,
    level: float = 0.95,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> Difference:
    """Resample whole clusters; entry i of all three belongs to the same utterance."""
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(c, len(numbers)) for c in clusters])
    gap = np.array([a.total - b.total for a, b in zip(ours, theirs, strict=True)], np.float64)
    length = np.array([e.length for e in ours], np.float64)
    gaps = np.bincount(index, gap)
    lengths = np.bincount(index, length)
    rng = np.random.default_rng(seed)
    found = []
    for start in range(0, rounds, _DRAWN_AT_ONCE):
        size = (min(_DRAWN_AT_ONCE, rounds - start), len(gaps))
        picks = rng.integers(len(gaps), size=size)
        found.append(gaps[picks].sum(axis=1) / np.maximum(1.0, lengths[picks].sum(axis=1)))
    differences = np.concatenate(found)
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2])
    better = float((differences < 0).mean() + (differences == 0).mean() / 2)
    whole = float(gap.sum() / max(1.0, length.sum()))
    return Difference(len(gaps), whole, float(low), float(high), better)


def compare(ours: Sequence[Decoded], theirs: Sequence[Decoded], against: str) -> dict[str, Any]:
    """What the JSON line tells of a comparison; both hold the same utterances in order."""
    assert [r.utterance.id for r in ours] == [r.utterance.id for r in theirs]
    a, b = [r.errors for r in ours], [r.errors for r in theirs]
    ways = {
        "by_utterance": paired_bootstrap(a, b, range(len(a))),
        "by_speaker": paired_bootstrap(a, b, (r.utterance.speaker for r in ours)),
    }
    return {
        "against": against,
        "wer_against": round(sum(b, Errors()).rate, 4),
        "difference": round(ways["by_utterance"].difference, 4),
        **{
            name: {
                "clusters": found.clusters,
                "low": round(found.low, 4),
                "high": round(found.high, 4),
                "better": round(found.better, 4),
            }
            for name, found in ways.items()
        },
    }


def read_hypotheses(file: Path, results: Sequence[Decoded]) -> list[Decoded]:
    """What another system heard of the same utterances, from what `eval --out` wrote.

    Further utterances in the file are passed over; raises UsageError where one is missing
    or had another transcript.
    """
    try:
        entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        known = {e["id"]: (str(e["reference"]), str(e["hypothesis"])) for e in entries}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file} holds no hypotheses: {error!r}", remedy="write them with --out"
        ) from None
    found = []
    for result in results:
        reference, hypothesis = known.get(result.utterance.id, (None, ""))
        if reference != result.reference:
            fault = "lacks" if reference is None else "has another transcript of"
            raise UsageError(
                f"{file} {fault} utterance {result.utterance.id}",
                remedy="compare on the same folder, --split and --limit",
            )
        found.append(Decoded(result.utterance, result.reference, hypothesis, 0.0, ()))
    return found
