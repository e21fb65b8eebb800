"""The hand-written graph against the torch network, step by step."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from streamasr.app.train.calibrate import measure_limits
from streamasr.app.train.export import compare, run_graph
from streamasr.app.train.onnx_graph import build_step
from streamasr.core.model import ModelConfig
from streamasr.core.network import AcousticModel
from streamasr.edge.inference import open_session
from tests.conftest import noise

CONFIG = ModelConfig(mels=40, conv_channels=8, width=32, layers=2, units=9, phones=5)


@pytest.fixture(
    scope="module",
    params=[(0, 0, 0.0), (1, 0, 0.0), (2, 0, 0.0), (1, 20, 0.0), (1, 20, 0.6)],
    ids=str,
)
def model(request: pytest.FixtureRequest) -> AcousticModel:
    torch.manual_seed(3)
    layers, writer, heed = request.param
    config = replace(
        CONFIG, speller_layers=layers, speller_width=24, writer_width=writer, writer_embedding=6,
        writer_heed=heed,
    )  # fmt: skip
    model = AcousticModel(config).eval()
    if writer:  # let it write something else now and then
        with torch.no_grad():
            model.phone_head.weight.mul_(8.0)
            model.writer.head.weight.mul_(8.0)
            model.speller.head.weight.mul_(8.0)
    return model


def test_float_graph_equals_torch_in_every_output(model: AcousticModel) -> None:
    weights = {k: v.numpy() for k, v in model.state_dict().items()}
    graph = build_step(model.config, weights, None)
    session = open_session(graph.SerializeToString(), name="it")
    samples = noise(CONFIG.step_samples * 3 * 2, seed=1).reshape(2, -1)
    state = np.zeros((2, model.config.state_size), np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(samples))
    for step in range(3):
        part = samples[:, step * CONFIG.step_samples : (step + 1) * CONFIG.step_samples]
        found = session.run(None, {"samples": part, "state": state})
        units, phones, *written, state = found
        rows = slice(step * 2, step * 2 + 2)
        outputs = model.config.unit_outputs
        spelt = slice(step * outputs, step * outputs + outputs)
        np.testing.assert_allclose(units, expected.units[:, spelt], atol=1e-4)
        np.testing.assert_allclose(phones, expected.phones[:, rows], atol=1e-4)
        for said in written:
            np.testing.assert_allclose(said, expected.written[:, spelt], atol=1e-4)
    np.testing.assert_allclose(state, expected.state, atol=1e-4)


def test_integer_graph_stays_close_and_is_smaller(model: AcousticModel) -> None:
    weights = {k: v.numpy() for k, v in model.state_dict().items()}
    samples = noise(CONFIG.step_samples * 40, seed=2)
    limits = measure_limits(model, [torch.from_numpy(samples[None])])
    graph = build_step(model.config, weights, limits)
    with torch.no_grad():
        expected = model(torch.from_numpy(samples[None])).units[0].numpy()
    agreement = compare(expected, run_graph(graph, model.config, samples))
    assert agreement.mean_distance < 0.02
    kinds = {n.op_type for n in graph.graph.node}
    assert "MatMulIntegerToFloat" in kinds
    assert {i.name: i.data_type for i in graph.graph.initializer}["lstms.0.hidden.weight"] == 3
