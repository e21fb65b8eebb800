from pathlib import Path

import numpy as np
import pytest
import torch

from streamasr.app.train.punctuation.export import load, rounded, write
from streamasr.app.train.punctuation.loop import WEIGHTS
from streamasr.app.train.punctuation.network import PunctuationNetwork, Shape
from streamasr.core.punctuation.tokens import BUCKETS
from streamasr.edge.punctuation import FILE, OnnxNetwork
from streamasr.errors import ConfigError


@torch.no_grad()
def test_onnx_says_what_torch_says_with_the_same_bytes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = PunctuationNetwork(Shape(embedding=16, width=20)).eval()
    write(model, tmp_path / FILE)
    network = OnnxNetwork(tmp_path / FILE)
    ids = np.random.default_rng(0).integers(0, BUCKETS, (60, 4))
    scores, memory = network.run(ids, network.start)
    expected, (h, c) = rounded(model)(torch.from_numpy(ids)[:, None])
    np.testing.assert_allclose(scores, expected[:, 0].numpy(), atol=1e-5)
    np.testing.assert_allclose(memory[0], h.numpy(), atol=1e-5)
    np.testing.assert_allclose(memory[1], c.numpy(), atol=1e-5)


@torch.no_grad()
def test_rounding_loses_little(toy_run: Path) -> None:
    model = load(toy_run / WEIGHTS)
    ids = torch.randint(0, BUCKETS, (40, 1, 4))
    exact, near = model(ids)[0], rounded(model)(ids)[0]
    assert 0 < (exact - near).abs().max() < 0.1 * exact.abs().max()


def test_what_holds_no_network_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no weights"):
        load(tmp_path / WEIGHTS)
    (tmp_path / WEIGHTS).write_bytes(b"xxxxxxxxxxxx")
    with pytest.raises(ConfigError, match="holds no punctuation network"):
        load(tmp_path / WEIGHTS)
