"""One recurrent step as an ONNX graph, written out by hand from the weights.

    samples [B, step_samples], state [B, state_size]
        -> units [B, outputs, units], phones [B, outputs, phones], new_state [B, state_size]

Integer products take activations quantised with scales that were fixed at export. No
scale is ever measured on a batch, so a stream's numbers are the same, bit for bit, alone
or beside any others. The scale of h needs no measuring: an LSTM's output lies in -1..1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from streamasr.core.features import HOP, POWER_FLOOR, WINDOW, folded_dft, mel_matrix, used_bins
from streamasr.core.model import ModelConfig
from streamasr.edge.weights import quantise_rows

Weights = Mapping[str, NDArray[np.float32]]
OPSET = 20
IR_VERSION = 10
BLOCK = 40
"""Common divisor of half a window and a hop: framing gathers blocks, not samples."""
UNSIGNED_ZERO = 128
HIDDEN_LIMIT = 1.0


class GraphWriter:
    """Collects nodes and constants; every method returns the name of its output."""

    def __init__(self, limits: Mapping[str, float] | None) -> None:
        self.limits = limits
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._names: set[str] = set()

    def constant(self, value: NDArray[Any] | np.generic, name: str) -> str:
        if name not in self._names:
            self._names.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def integers(self, values: Sequence[int]) -> str:
        return self.constant(np.array(values, np.int64), "i_" + "_".join(map(str, values)))

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        return self.ops(kind, *inputs, outputs=1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        number = len(self.nodes)
        names = [f"{kind}_{number}_{i}" for i in range(outputs)]
        self.nodes.append(
            helper.make_node(kind, inputs, names, f"{kind}_{number}", domain=domain, **attributes)
        )
        return names

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        return self.ops("Split", x, self.integers(sizes), outputs=len(sizes), axis=axis)

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        return self.op("Reshape", x, self.integers(shape))

    def tail(self, x: str, rows: int, axis: int) -> str:
        """The last ``rows`` along an axis."""
        end = self.integers([np.iinfo(np.int64).max])
        return self.op("Slice", x, self.integers([-rows]), end, self.integers([axis]))

    def linear(
        self,
        x: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32],
        *,
        name: str,
        limit: float | None = None,
    ) -> str:
        """x [B, in] times weight [out, in] plus bias.

        int8 where the graph has limits; |x| is bounded by ``limit``, or by what was
        measured under ``name``.
        """
        bias_name = self.constant(bias, f"{name}.bias")
        if self.limits is None:
            product = self.op("MatMul", x, self.constant(weight.T, f"{name}.weight"))
            return self.op("Add", product, bias_name)
        limit = self.limits[name] if limit is None else limit
        scale = self.constant(np.float32(limit / 127.0), f"{name}.input_scale")
        zero = self.constant(np.uint8(UNSIGNED_ZERO), "unsigned_zero")
        integers, weight_scales = (x.numpy() for x in quantise_rows(torch.from_numpy(weight)))
        return self.op(
            "MatMulIntegerToFloat",
            self.op("QuantizeLinear", x, scale, zero),
            self.constant(integers.T, f"{name}.weight"),
            scale,
            self.constant(weight_scales, f"{name}.weight_scale"),
            zero,
            self.constant(np.int8(0), "signed_zero"),
            bias_name,
            domain="com.microsoft",
        )

    def layer_norm(self, x: str, weights: Weights, name: str) -> str:
        scale = self.constant(weights[f"{name}.weight"], f"{name}.weight")
        bias = self.constant(weights[f"{name}.bias"], f"{name}.bias")
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)


def integer_matrices(weights: Mapping[str, Any]) -> set[str]:
    """Names of the weights that an int8 graph multiplies as integers."""
    return {name for name, w in weights.items() if w.ndim == 2 and name != "feedback.weight"}


def build_step(
    config: ModelConfig, weights: Weights, limits: Mapping[str, float] | None
) -> onnx.ModelProto:
    """Write the graph: int8 with the ``limits`` of `calibrate.measure_limits`, or float."""
    g = GraphWriter(limits)
    layers = range(config.layers)
    front = [int(np.prod(shape)) for _, shape in config.state_parts()][:3]
    parts = g.split("state", [*front, *[config.width] * (2 * config.layers)], axis=1)
    carry, tail1, tail2 = parts[:3]
    hiddens, cells = parts[3 : 3 + config.layers], parts[3 + config.layers :]
    padded = g.op("Concat", carry, "samples", axis=1)
    frames = _log_mel(g, padded, config, weights)
    x, row1, row2 = _convolve(g, frames, tail1, tail2, config, weights)
    x = g.linear(x, weights["project.weight"], weights["project.bias"], name="project")
    phones = None
    for layer in layers:
        hiddens[layer], cells[layer] = _lstm(
            g, layer, x, hiddens[layer], cells[layer], config, weights
        )
        x = g.op("Add", x, hiddens[layer])
        if config.phones and layer + 1 == config.phone_layer:
            phones = _head(g, x, "phone", config.phones, config, weights)
            if config.feedback:
                x = g.op("Add", x, _feedback(g, phones, config, weights))
    units = _head(g, x, "unit", config.units, config, weights)
    new_carry = g.tail(padded, WINDOW - HOP, 1)
    state = g.op("Concat", new_carry, row1, row2, *hiddens, *cells, axis=1)
    outputs = {"units": (units, config.units), "phones": (phones, config.phones)}
    return _model(g, config, {k: v for k, v in outputs.items() if v[0]}, state)


def _log_mel(g: GraphWriter, padded: str, config: ModelConfig, weights: Weights) -> str:
    """[B, WINDOW - HOP + step_samples] -> normalised frames [B, frames, mels].

    Windows are folded about their middle (`core.features.folded_dft`): what comes after it, and
    the mirror of what comes before.
    """
    half, frames = WINDOW // 2, config.frames_per_step
    span = (frames - 1) * HOP + half
    end, start = g.integers([np.iinfo(np.int64).max]), g.integers([0])
    axis, back = g.integers([1]), g.integers([-1])
    after = g.op("Slice", padded, g.integers([half]), end, axis)
    before = g.op("Slice", padded, g.integers([span]), start, axis, back)

    def halves(x: str, order: Sequence[int]) -> str:
        """Half a window a frame, in the given order: [B, frames, WINDOW // 2]."""
        blocks = g.reshape(x, [-1, span // BLOCK, BLOCK])
        index = np.array(order)[:, None] * (HOP // BLOCK) + np.arange(half // BLOCK)
        windows = g.op("Gather", blocks, g.constant(index, f"blocks_{order[0]}"), axis=1)
        return g.reshape(windows, [-1, frames, half])

    right, left = halves(after, range(frames)), halves(before, range(frames)[::-1])
    power = []
    for kind, matrix in zip(("Add", "Sub"), folded_dft(config.mels), strict=True):
        part = g.op("MatMul", g.op(kind, right, left), g.constant(matrix, f"dft_{kind.lower()}"))
        power.append(g.op("Mul", part, part))
    mel = g.constant(mel_matrix(config.mels)[used_bins(config.mels)], "mel")
    floor = g.constant(np.float32(POWER_FLOOR), "power_floor")
    log = g.op("Log", g.op("Add", g.op("MatMul", g.op("Add", *power), mel), floor))
    centred = g.op("Sub", log, g.constant(weights["log_mel.mean"], "mean"))
    return g.op("Div", centred, g.constant(weights["log_mel.deviation"], "deviation"))


def _convolve(
    g: GraphWriter, frames: str, tail1: str, tail2: str, config: ModelConfig, weights: Weights
) -> tuple[str, str, str]:
    """Frames to [B, conv_width]; also the two rows that the next step begins with."""
    mels, channels, time = config.mels, config.conv_channels, config.frames_per_step
    x = g.op(
        "Concat",
        g.reshape(tail1, [-1, 1, 1, mels]),
        g.reshape(frames, [-1, 1, time, mels]),
        axis=2,
    )
    row1 = g.reshape(g.tail(x, 1, 2), [-1, mels])
    x = _conv_relu(g, x, "conv1", weights)
    x = g.op("Concat", g.reshape(tail2, [-1, channels, 1, mels // 2]), x, axis=2)
    row2 = g.reshape(g.tail(x, 1, 2), [-1, channels * (mels // 2)])
    x = _conv_relu(g, x, "conv2", weights)
    x = g.op("Transpose", x, perm=[0, 2, 1, 3])
    return g.reshape(x, [-1, config.conv_width]), row1, row2


def _conv_relu(g: GraphWriter, x: str, name: str, weights: Weights) -> str:
    kernel = g.constant(weights[f"{name}.weight"], f"{name}.weight")
    bias = g.constant(weights[f"{name}.bias"], f"{name}.bias")
    return g.op("Relu", g.op("Conv", x, kernel, bias, strides=[2, 2], pads=[0, 1, 0, 1]))


def _lstm(
    g: GraphWriter,
    layer: int,
    x: str,
    hidden: str,
    cell: str,
    config: ModelConfig,
    weights: Weights,
) -> tuple[str, str]:
    """One cell; torch keeps the gates as input, forget, candidate, output."""
    name = f"lstms.{layer}"
    normed = g.layer_norm(x, weights, f"norms.{layer}")
    bias = weights[f"{name}.bias_ih_l0"] + weights[f"{name}.bias_hh_l0"]
    from_input = g.linear(normed, weights[f"{name}.weight_ih_l0"], bias, name=name)
    from_hidden = g.linear(
        hidden, weights[f"{name}.weight_hh_l0"], np.zeros_like(bias), name=f"{name}.hidden",
        limit=HIDDEN_LIMIT,
    )  # fmt: skip
    gates = g.op("Add", from_input, from_hidden)
    enter, keep, candidate, output = g.split(gates, [config.width] * 4, axis=1)
    kept = g.op("Mul", g.op("Sigmoid", keep), cell)
    entered = g.op("Mul", g.op("Sigmoid", enter), g.op("Tanh", candidate))
    cell = g.op("Add", kept, entered)
    return g.op("Mul", g.op("Sigmoid", output), g.op("Tanh", cell)), cell


def _head(
    g: GraphWriter,
    x: str,
    name: str,
    classes: int,
    config: ModelConfig,
    weights: Weights,
) -> str:
    normed = g.layer_norm(x, weights, f"{name}_norm")
    logits = g.linear(
        normed,
        weights[f"{name}_head.weight"],
        weights[f"{name}_head.bias"],
        name=f"{name}_head",
    )
    logits = g.reshape(logits, [-1, config.outputs_per_step, classes])
    return g.op("LogSoftmax", logits, axis=-1)


def _feedback(g: GraphWriter, phones: str, config: ModelConfig, weights: Weights) -> str:
    """[B, outputs, phones] -> [B, width], in float: it is small."""
    heard = g.reshape(g.op("Exp", phones), [-1, config.outputs_per_step * config.phones])
    weight = g.constant(weights["feedback.weight"].T, "feedback.weight")
    return g.op("MatMul", heard, weight)


def _model(
    g: GraphWriter, config: ModelConfig, heads: Mapping[str, tuple[Any, int]], state: str
) -> onnx.ModelProto:
    def value(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    renamed = {state: "new_state"} | {output: name for name, (output, _) in heads.items()}
    for node in g.nodes:
        node.input[:] = [renamed.get(n, n) for n in node.input]
        node.output[:] = [renamed.get(n, n) for n in node.output]
    outputs = [value(n, config.outputs_per_step, size) for n, (_, size) in heads.items()]
    graph = helper.make_graph(
        g.nodes,
        "step",
        [value("samples", config.step_samples), value("state", config.state_size)],
        [*outputs, value("new_state", config.state_size)],
        g.constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model
