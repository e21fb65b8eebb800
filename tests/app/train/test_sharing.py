"""What the weights file holds too goes from the graph, and nothing else does."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from streamasr.app.train.sharing import share_weights
from streamasr.edge.weights import pack, write_weights
from streamasr.errors import BundleError

WEIGHTS = {"a.weight": torch.arange(12.0).reshape(3, 4) - 5, "a.bias": torch.ones(600)}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "weights.safetensors"
    write_weights(pack(WEIGHTS, {"a.weight"}), file)
    return file


def graph_of(*constants: np.ndarray) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(c, f"c{i}") for i, c in enumerate(constants)]
    return helper.make_model(helper.make_graph([], "g", [], [], tensors))


def test_a_shared_matrix_is_read_back_from_the_weights(weights: Path, tmp_path: Path) -> None:
    integers = pack(WEIGHTS, {"a.weight"})["a.weight.integers"].numpy()
    other = np.ones(600, np.float16)
    graph = graph_of(integers, other)
    share_weights(graph, weights)
    assert [bool(t.raw_data) for t in graph.graph.initializer] == [False, True]
    (tmp_path / "model.onnx").write_bytes(graph.SerializeToString())
    read = onnx.load(tmp_path / "model.onnx").graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(read[0]), integers)
    np.testing.assert_array_equal(numpy_helper.to_array(read[1]), other)


def test_a_graph_of_other_integers_is_refused(weights: Path) -> None:
    with pytest.raises(BundleError, match=r"does not multiply a\.weight\.integers"):
        share_weights(graph_of(np.zeros((4, 3), np.int8)), weights)
