"""``streamasr models``: the models that are found, and where."""

from __future__ import annotations

import json as json_module
import sys
from pathlib import Path
from typing import Any

import typer

from streamasr.app.options import JsonOption
from streamasr.app.table import print_table

SHOWN_RESULTS = 2
"""Test sets in the table; the JSON has all."""


def models(json: JsonOption = False) -> None:
    """List the models that are found, the default marked with a star.

    They are looked for in ./models, in $XDG_DATA_HOME/streamasr/models and among those
    that came with the program. Exit code 1 when there is none.

    \b
    Examples:
      streamasr models
      streamasr models --json | jq '.[].path'
    """
    from streamasr.edge import bundle

    found = [describe(path) for path in bundle.available()]
    show(found, as_json=json)
    if not found:
        raise typer.Exit(1)


def describe(path: Path) -> dict[str, Any]:
    """What a person wants to know of a model; ``fault`` where it cannot be loaded."""
    from streamasr.edge import bundle
    from streamasr.errors import BundleError

    facts: dict[str, Any] = {
        "name": path.name,
        "default": path.name == bundle.DEFAULT_MODEL,
        "path": str(path.resolve()),
        "bytes": sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        "wer": {},
        "latency_ms": None,
        "decoders": ["greedy"],
        "fault": "",
    }
    try:
        if bundle.read_document(path).get("kind") == bundle.WORDS:
            from streamasr.edge.words import load_words

            return facts | {"decoders": [], "words": list(load_words(path).words)}
        loaded = bundle.load(path)
    except BundleError as error:
        return facts | {"fault": str(error)}
    return facts | {
        "latency_ms": loaded.facts.latency_ms,
        "decoders": ["greedy", "graph"] if loaded.has_language_model else ["greedy"],
        "wer": word_error_rates(loaded.info),
    }


def word_error_rates(info: dict[str, Any]) -> dict[str, float]:
    """Test set -> word error rate, of the results that a bundle states, the best first."""
    found = {
        name: float(result["wer"])
        for name, result in info.get("results", {}).items()
        if isinstance(result, dict) and "wer" in result
    }
    return dict(sorted(found.items(), key=lambda item: item[1]))


def show(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print models as a table or as a JSON list."""
    if as_json:
        print(json_module.dumps(found, ensure_ascii=False))
    elif not found:
        print(
            "streamasr: no model found (put a model folder into ./models, or install streamasr)",
            file=sys.stderr,
        )
    else:
        print_table(
            ("", "NAME", "MB", "DECODERS", "WER", "PATH"), [_row(m) for m in found], right={2}
        )


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    shown = list(model["wer"].items())[:SHOWN_RESULTS]
    rates = ", ".join(f"{name} {wer:.1%}" for name, wer in shown)
    return (
        "*" if model["default"] else "",
        model["name"],
        f"{model['bytes'] / 1e6:.1f}",
        ", ".join(model["decoders"]) or "words",
        f"damaged: {model['fault']}" if model["fault"] else rates or "-",
        model["path"],
    )
