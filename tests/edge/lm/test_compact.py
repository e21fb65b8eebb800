from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from streamasr.core.graph import NO_PHONE
from streamasr.edge.lm.compact import map_graph, write_graph
from streamasr.errors import BundleError
from tests.graphs import GRAPH, toy_arcs


def test_every_arc_is_kept_but_those_that_stay() -> None:
    arcs = toy_arcs()
    states = len(arcs.states)
    staying = states - GRAPH.roots
    assert GRAPH.arcs - 1 == len(arcs.arcs) - staying  # the empty history has no shorter one
    assert GRAPH.shorter[0] == 0
    assert np.all(GRAPH.phones[: GRAPH.roots] == NO_PHONE)
    assert np.all(GRAPH.phones[GRAPH.roots :] < NO_PHONE)
    assert GRAPH.firsts[-1] == len(GRAPH.goals)


def test_a_written_graph_is_mapped_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "graph.bin"
    write_graph(GRAPH, file)
    mapped = map_graph(file)
    for item in fields(GRAPH):
        np.testing.assert_array_equal(getattr(mapped, item.name), getattr(GRAPH, item.name))
    assert not mapped.costs.flags.writeable
    assert mapped.word(4) == "turn"
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "graph.bin"
    write_graph(GRAPH, file)
    data = file.read_bytes()
    file.write_bytes({"cut": data[:-64], "other": b'{"magic": "x"}\n', "empty": b""}[damage])
    with pytest.raises(BundleError, match="no search graph"):
        map_graph(file)
