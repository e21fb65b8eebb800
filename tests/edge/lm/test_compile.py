from __future__ import annotations

import logging
import mmap
import os
import shutil
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from streamasr.core.phones import PHONES
from streamasr.edge import bundle
from streamasr.edge.bundle import ARPA_FILE, FACTS_FILE, LEXICON_FILE
from streamasr.edge.engines import open_engine
from streamasr.edge.lm.compile import cached_file, give_memory_back, load_graph, open_graph
from streamasr.errors import BundleError
from tests.graphs import GRAPH

SHIPPED = Path(__file__).parents[3] / "models" / "en-small"


def edit(folder: Path, **changes: Any) -> None:
    """Change keys of [graph] in bundle.toml."""
    file = folder / FACTS_FILE
    info = tomllib.loads(file.read_text())
    info["graph"].update(changes)
    file.write_text(tomli_w.dumps(info))


def test_a_graph_is_compiled_once_and_mapped_from_then_on(
    graph_bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = bundle.load(graph_bundle)
    assert loaded.has_language_model
    model = load_graph(loaded, tmp_path / "cache")
    np.testing.assert_allclose(model.graph.costs, GRAPH.costs, atol=0.03)
    assert model.options.settle == 8
    (file,) = (tmp_path / "cache").iterdir()
    assert file == cached_file(loaded.info["checksums"], tmp_path / "cache")
    made = file.stat().st_ino  # a file that is written takes the place of the old one
    load_graph(loaded, tmp_path / "cache")
    assert file.stat().st_ino == made
    (told,) = caplog.messages
    assert told.startswith("compiling the language model of with-lm, which is done once")


def test_a_damaged_file_in_the_cache_is_made_again(
    graph_bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checksums = bundle.load(graph_bundle).info["checksums"]
    file = cached_file(checksums, tmp_path)
    file.write_bytes(b"half of it")
    assert open_graph(graph_bundle, checksums, tmp_path).roots == GRAPH.roots
    assert "compiling it again" in caplog.text
    assert file.stat().st_size > 1000


def test_graphs_that_nobody_uses_any_more_go_when_another_comes(
    graph_bundle: Path, tmp_path: Path
) -> None:
    checksums = bundle.load(graph_bundle).info["checksums"]
    file, long_ago = cached_file(checksums, tmp_path), time.time() - 86_400 * 365
    unused, recent = tmp_path / "graph-of-last-year.bin", tmp_path / "graph-of-today.bin"
    for other in (unused, recent):
        other.write_bytes(b"of another model")
    os.utime(unused, (long_ago, long_ago))
    open_graph(graph_bundle, checksums, tmp_path)
    assert sorted(tmp_path.glob("*.bin")) == sorted([file, recent])
    os.utime(file, (long_ago, long_ago))
    open_graph(graph_bundle, checksums, tmp_path)
    assert file.stat().st_mtime > long_ago + 1


def test_memory_that_was_freed_is_given_back() -> None:
    def resident_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE / 1e6

    before = resident_mb()
    pieces = [bytes(1000) for _ in range(200_000)]
    kept = pieces[::1000]  # holes between them, as a compiler leaves them
    del pieces
    give_memory_back()
    assert resident_mb() < before + 100
    assert len(kept) == 200


def test_without_a_cache_the_graph_lies_in_memory(
    graph_bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    caplog.set_level(logging.WARNING)
    checksums = bundle.load(graph_bundle).info["checksums"]
    assert open_graph(graph_bundle, checksums, tmp_path / "cache").roots == GRAPH.roots
    assert "cannot keep" in caplog.text


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"log_priors": [0.0]}, f"{len(PHONES)} log priors"),
        ({"log_priors": "none"}, "string"),
        ({"search": {"beams": 1.0}}, "unknown: beams"),
        ({"search": {"beam": "wide"}}, "beam is 'wide'"),
        ({"search": {"beam": -1.0}}, "beam must be positive"),
        ({"calibration": {"bias": True}}, "bias is True"),
        ({"speed": 3}, "unknown: speed"),
    ],
)
def test_what_cannot_be_is_named(
    graph_bundle: Path, tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    edit(graph_bundle, **changes)
    with pytest.raises(BundleError, match=named):
        load_graph(bundle.load(graph_bundle), tmp_path)


def test_a_bundle_without_a_language_model_is_refused_with_the_remedy(
    plain_bundle: Path,
) -> None:
    with pytest.raises(BundleError, match="--lm"):
        open_engine(plain_bundle, device="cpu", decoder="graph")
    assert open_engine(plain_bundle, device="cpu", decoder="auto").facts.graph is None


def test_the_parts_of_the_language_model_are_checked(graph_bundle: Path) -> None:
    shutil.copy(graph_bundle / LEXICON_FILE, graph_bundle / ARPA_FILE)
    with pytest.raises(BundleError, match=r"lm\.arpa\.xz is not the file"):
        bundle.load(graph_bundle)
    (graph_bundle / ARPA_FILE).unlink()
    with pytest.raises(BundleError, match=r"cannot read lm\.arpa\.xz"):
        bundle.load(graph_bundle)


def test_a_graph_without_checksums_is_refused(graph_bundle: Path) -> None:
    file = graph_bundle / FACTS_FILE
    info = tomllib.loads(file.read_text())
    del info["checksums"][ARPA_FILE]
    file.write_text(tomli_w.dumps(info))
    with pytest.raises(BundleError, match=r"no checksum of lm/lm\.arpa\.xz"):
        bundle.load(graph_bundle)
