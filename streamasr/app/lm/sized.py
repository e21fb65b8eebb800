"""Make a language model of a wanted size, by trying thresholds of pruning."""

from __future__ import annotations

from pathlib import Path

from streamasr.app.lm.build import Language, LanguageReport

TRIES = 6
CLOSE = 0.92
"""A size from here up to the wanted one will do."""


def write_sized(
    language: Language, out: Path, *, size_mb: float, threshold: float
) -> LanguageReport:
    """Write with the threshold, from ``threshold`` on, that comes near ``size_mb`` from below.

    A size that cannot be reached gives the model that is pruned most.
    """
    low, high = 1e-11, 0.1
    for attempt in range(TRIES):
        report = language.write(out, threshold)
        size = report.bytes / 1e6
        if CLOSE * size_mb <= size <= size_mb:
            return report
        low, high = (threshold, high) if size > size_mb else (low, threshold)
        threshold = high if attempt == TRIES - 2 else float((low * high) ** 0.5)
    return report
