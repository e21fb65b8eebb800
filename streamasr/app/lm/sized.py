"""Build a language model of a wanted size, by trying thresholds of pruning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from streamasr.app.lm.build import LanguageOptions, LanguageReport, build_language

TRIES = 6
CLOSE = 0.92
"""A size from here up to the wanted one will do."""


def build_sized(
    texts: Sequence[Path],
    out: Path,
    *,
    held_out: Sequence[str] = (),
    options: LanguageOptions,
    size_mb: float | None = None,
) -> LanguageReport:
    """Build with ``options``, or with the threshold that comes near ``size_mb`` from below.

    A size that cannot be reached gives the model that is pruned most.
    """
    if size_mb is None:
        return build_language(texts, out, held_out=held_out, options=options)
    low, high = 1e-11, 0.1
    threshold = options.threshold
    for attempt in range(TRIES):
        used = replace(options, threshold=threshold)
        report = build_language(texts, out, held_out=held_out, options=used)
        size = report.bytes / 1e6
        if CLOSE * size_mb <= size <= size_mb:
            return report
        low, high = (threshold, high) if size > size_mb else (low, threshold)
        threshold = high if attempt == TRIES - 2 else float((low * high) ** 0.5)
    return report
