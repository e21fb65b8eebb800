"""A bundle's search graph: compiled on first use, kept in the user's cache, then mapped.

    model = load_graph(bundle)      # GraphModel, for core.graphdecoder

The name of the cached file bears a checksum of all it is made of, so a stale one is never
used, and one that nobody used for KEEP_DAYS goes when another comes. Where the cache cannot be
written the graph is compiled each time, and lies in memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from streamasr.core.graph import Calibration, GraphModel, SearchGraph, SearchOptions
from streamasr.core.phones import PHONES
from streamasr.core.units import Speller
from streamasr.edge.bundle import ARPA_FILE, FACTS_FILE, LEXICON_FILE, Bundle
from streamasr.edge.folders import cache_folder
from streamasr.edge.lm.arpa import read_arpa
from streamasr.edge.lm.compact import compact, map_graph, write_graph
from streamasr.edge.lm.graph import build_graph
from streamasr.edge.lm.lexicon import WordFinder, read_lexicon
from streamasr.errors import BundleError, ConfigError

log = logging.getLogger(__name__)

FORMAT = 1
"""Counted up when the compiler or the file of the graph changes."""
S_PER_MB = 2.4
"""Seconds that a megabyte of compressed ARPA takes, on one core of a server."""
KEEP_DAYS = 60
"""A graph is kept so long after its last use: it can be compiled again."""


def load_graph(bundle: Bundle, cache: Path | None = None) -> GraphModel:
    """Everything the graph decoder needs of a bundle; raises BundleError where it has none."""
    table = bundle.info.get("graph")
    if table is None:
        raise BundleError(
            f"{bundle.path.name} has no language model",
            remedy="add one with `streamasr export --lm`, or use --decoder greedy",
        )
    where = f"{bundle.path / FACTS_FILE}: [graph]"
    if bundle.config.phones != len(PHONES):
        raise BundleError(f"{where} needs a head of {len(PHONES)} phones")
    facts = read_table(table, where)
    graph = open_graph(bundle.path, bundle.info["checksums"], cache or cache_folder())
    lexicon = WordFinder(bundle.path / LEXICON_FILE)
    return GraphModel(graph, speller=Speller(bundle.facts.units), pronounce=lexicon.find, **facts)


def read_table(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of GraphModel that bundle.toml states."""
    try:
        unknown = set(table) - {"delay", "log_priors", "search", "calibration"}
        if unknown:
            raise ConfigError(f"unknown: {', '.join(sorted(unknown))}")
        priors = np.array(table["log_priors"], np.float32)
        if priors.shape != (len(PHONES),):
            raise ConfigError(f"needs {len(PHONES)} log priors, of the phones")
        return {
            "delay": float(table["delay"]),
            "log_priors": priors,
            "options": SearchOptions(**_known(SearchOptions, table.get("search", {}))),
            "calibration": Calibration(**_known(Calibration, table.get("calibration", {}))),
        }
    except KeyError as error:
        raise BundleError(f"{where} lacks {error.args[0]}") from None
    except (ConfigError, TypeError, ValueError) as error:
        raise BundleError(f"{where}: {error}") from None


def _known(kind: type, values: Mapping[str, Any]) -> Mapping[str, Any]:
    kinds = {item.name: type(item.default) for item in fields(kind)}
    for name, value in values.items():
        if name not in kinds:
            raise ConfigError(f"unknown: {name}")
        if type(value) not in (kinds[name], int):
            raise ConfigError(f"{name} is {value!r}")
    return values


def cached_file(checksums: Mapping[str, str], cache: Path) -> Path:
    """The file of the graph that the parts with these checksums make."""
    parts = f"{FORMAT} {checksums[ARPA_FILE]} {checksums[LEXICON_FILE]}"
    return cache / f"graph-{hashlib.sha256(parts.encode()).hexdigest()[:16]}.bin"


def open_graph(folder: Path, checksums: Mapping[str, str], cache: Path) -> SearchGraph:
    """Map the graph of a bundle, compiling it where that was not done yet."""
    file = cached_file(checksums, cache)
    if file.is_file():
        with contextlib.suppress(OSError):
            os.utime(file)  # used today
        try:
            return map_graph(file)
        except BundleError as error:
            log.warning("%s; compiling it again", error)
    log.warning(
        "compiling the language model of %s, which is done once and takes some %.0f s",
        folder.name,
        max(1.0, S_PER_MB * (folder / ARPA_FILE).stat().st_size / 1e6),
    )
    graph = compile_graph(folder / ARPA_FILE, folder / LEXICON_FILE)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_graph(graph, file)
        graph = map_graph(file)
        _forget_unused(cache)
    except OSError as error:
        log.warning("cannot keep the compiled language model in %s: %s", cache, error.strerror)
    give_memory_back()
    return graph


def _forget_unused(cache: Path) -> None:
    for file in cache.glob("graph-*.bin"):
        if file.stat().st_mtime < time.time() - KEEP_DAYS * 86_400:
            file.unlink()  # a process that has it mapped keeps it


def give_memory_back() -> None:
    """Have the C library return what was freed: a daemon would keep half a gigabyte."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


def compile_graph(arpa: Path, lexicon: Path) -> SearchGraph:
    """The search graph of a language model and its pronunciations."""
    model = read_arpa(arpa)
    try:
        return compact(build_graph(model, read_lexicon(lexicon)), model.words)
    except ConfigError as error:
        raise BundleError(f"{arpa} and {lexicon.name} do not fit: {error}") from None
