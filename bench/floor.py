"""What must a step of the CPU engine cost on this machine, whatever runs it?

    python bench/floor.py [--model NAME]

Operations and bytes of the step graph, counted from the model's shape, over the rates at which
one core multiplies integers and floats and moves memory here: products of the graph's own
sizes in ONNX Runtime, and copies. Nothing is assumed about overlap: the parts are added.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer
from onnx import TensorProto, helper, numpy_helper

from streamasr.core.features import SAMPLE_RATE, WINDOW, used_bins
from streamasr.core.model import ModelConfig
from streamasr.edge.bundle import find, load
from streamasr.edge.inference import open_session

BATCH = 128
SECONDS = 1.0


def operations(config: ModelConfig) -> dict[str, int]:
    """Multiplications of one step of one stream, and bytes that it moves or reads."""
    bins = used_bins(config.mels)
    spectrum = bins.stop - bins.start
    width, outputs, frames = config.width, config.outputs_per_step, config.frames_per_step
    integer = config.conv_width * width + config.layers * 8 * width * width
    integer += width * outputs * config.phones
    spelling = config.speller_width
    heard = config.speller_inputs
    for _ in range(config.speller_layers):
        integer += 4 * spelling * (heard + spelling)
        heard = spelling
    integer += (spelling if config.speller_layers else width) * config.unit_outputs * config.units
    writing = config.writer_width
    told = config.speller_inputs + config.writer_embedding
    integer += writing * (4 * (told + writing) + config.units)
    conv1 = 9 * config.conv_channels * (frames // 2) * (config.mels // 2)
    conv2 = 9 * config.conv_channels**2 * (frames // 4) * (config.mels // 4)
    features = frames * (WINDOW * spectrum + spectrum * config.mels)
    return {
        "int8": integer,
        "float32": features + conv1 + conv2,
        "weight_bytes": integer,
        "state_bytes": 4 * config.state_size,
    }


def rates() -> dict[str, float]:
    """What one core does: billions of products a second, billions of bytes read and written."""
    rng = np.random.default_rng(0)
    integers = rng.integers(-127, 128, (512, 2048)).astype(np.int8)
    floats = rng.standard_normal((200, 243)).astype(np.float32)
    activations = rng.integers(0, 255, (BATCH, 512)).astype(np.uint8)
    windows = rng.standard_normal((BATCH * 8, 200)).astype(np.float32)
    row = np.ones(2048, np.float32)
    constants = {"w": integers, "s": row[:1] / 10, "ws": row, "z": np.uint8(128), "wz": np.int8(0)}
    by_int8 = product("MatMulIntegerToFloat", "x w s ws z wz", constants, activations)
    by_float = product("MatMul", "x w", {"w": floats}, windows)
    found = {
        "int8_gmacs": activations.size * 2048 / best(by_int8) / 1e9,
        "float32_gmacs": windows.size * 243 / best(by_float) / 1e9,
    }
    for name, size in (("cache_gbs", 8 << 20), ("memory_gbs", 256 << 20)):
        source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
        seconds = best(lambda a=target, b=source: np.copyto(a, b))  # type: ignore[misc]
        found[name] = 2 * size / seconds / 1e9
    return {name: round(value, 1) for name, value in found.items()}


def product(
    kind: str, inputs: str, constants: dict[str, Any], x: np.ndarray
) -> Callable[[], object]:
    """One product in ONNX Runtime, on one thread, its constants packed."""
    elements = helper.np_dtype_to_tensor_dtype(x.dtype)
    domain = "com.microsoft" if kind != "MatMul" else ""
    graph = helper.make_graph(
        [helper.make_node(kind, inputs.split(), ["y"], domain=domain)],
        "product",
        [helper.make_tensor_value_info("x", elements, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = open_session(model.SerializeToString(), name="a product")
    return lambda: session.run(None, {"x": x})


def best(work: Callable[[], object]) -> float:
    """The median of many runs, in seconds."""
    times = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until or len(times) < 5:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def floor(config: ModelConfig) -> dict[str, Any]:
    """Microseconds that a step of one stream among BATCH must take, and streams that gives."""
    count, rate = operations(config), rates()
    parts = {
        "int8_us": count["int8"] / rate["int8_gmacs"] / 1e3,
        "float32_us": count["float32"] / rate["float32_gmacs"] / 1e3,
        # gathered, and scattered; the weights are read once for the whole batch
        "state_us": 2 * 2 * count["state_bytes"] / rate["cache_gbs"] / 1e3,
        "weights_us": count["weight_bytes"] / BATCH / rate["cache_gbs"] / 1e3,
    }
    total = sum(parts.values())
    step_us = config.step_samples / SAMPLE_RATE * 1e6
    return {
        "operations": count,
        "rates": rate,
        **{name: round(value, 1) for name, value in parts.items()},
        "us_a_stream": round(total, 1),
        "streams_per_core": round(step_us / total),
    }


def main(model: str | None = None) -> None:
    for name, value in floor(load(find(model)).config).items():
        print(f"{name:<18} {value}")


if __name__ == "__main__":
    typer.run(main)
