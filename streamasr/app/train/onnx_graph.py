"""One recurrent step as an ONNX graph, written out by hand from the weights.

    samples [B, step_samples], state [B, state_size]
        -> units [B, unit outputs, units], phones [B, outputs, phones],
           written [B, unit outputs, 2], new_state [B, state_size]

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
from streamasr.core.speller import FAINT, LOG_SCALE
from streamasr.core.units import BLANK
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
    return {name for name, w in weights.items() if w.ndim == 2 and "embedding" not in name}


def build_step(
    config: ModelConfig, weights: Weights, limits: Mapping[str, float] | None
) -> onnx.ModelProto:
    """Write the graph: int8 with the ``limits`` of `calibrate.measure_limits`, or float."""
    g = GraphWriter(limits)
    names = [f"lstms.{i}" for i in range(config.layers)]
    spelling = [f"speller.lstms.{i}" for i in range(config.speller_layers)]
    state = _split_state(g, config)
    padded = g.op("Concat", state["samples"], "samples", axis=1)
    frames = _log_mel(g, padded, config, weights)
    x, row1, row2 = _convolve(g, frames, state["conv1"], state["conv2"], config, weights)
    new_state = [g.tail(padded, WINDOW - HOP, 1), row1, row2]
    x = g.linear(x, weights["project.weight"], weights["project.bias"], name="project")
    for index, name in enumerate(names):
        normed = g.layer_norm(x, weights, f"norms.{index}")
        x = g.op("Add", x, _lstm(g, name, normed, state, weights))
    phones = ""
    if config.phones:
        heads = config.outputs_per_step, config.phones
        phones = _head(g, g.layer_norm(x, weights, "phone_norm"), "phone_head", heads, weights)
    written = ""
    if spelling:
        heard = _spelling_features(g, phones, config)
        units = _spell(g, heard, spelling, state, config, weights)
        if config.writer_width:
            written = _write(g, heard, units, state, config, weights)
    else:
        heads = config.outputs_per_step, config.units
        units = _head(g, g.layer_norm(x, weights, "unit_norm"), "unit_head", heads, weights)
    for layers in (names, spelling, ["writer.lstm"] if written else []):
        new_state += [state[f"{name}.hidden"] for name in layers]
        new_state += [state[f"{name}.cell"] for name in layers]
    new_state += [state["writer_last"]] if written else []
    outputs = {"units": units, "phones": phones, "written": written}
    named = {output: name for name, output in outputs.items() if output}
    named[g.op("Concat", *new_state, axis=1)] = "new_state"
    return _model(g, config, named)


def _split_state(g: GraphWriter, config: ModelConfig) -> dict[str, str]:
    """The parts of the state by name; those of layers one by one, as `LSTM.hidden` and `.cell`."""
    sizes: dict[str, int] = {}
    for part, shape in config.state_parts():
        half, _, kind = part.rpartition("_")
        if kind not in ("hidden", "cell"):
            sizes[part] = int(np.prod(shape))
        elif half == "writer":
            sizes[f"writer.lstm.{kind}"] = shape[1]
        else:
            layers = f"{half}.lstms" if half else "lstms"
            sizes |= {f"{layers}.{i}.{kind}": shape[1] for i in range(shape[0])}
    return dict(zip(sizes, g.split("state", list(sizes.values()), axis=1), strict=True))


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


def _lstm(g: GraphWriter, name: str, x: str, state: dict[str, str], weights: Weights) -> str:
    """One cell on its input; puts the new state in the place of the old and gives h.

    torch keeps the gates as input, forget, candidate, output.
    """
    hidden, cell = state[f"{name}.hidden"], state[f"{name}.cell"]
    bias = weights[f"{name}.bias_ih_l0"] + weights[f"{name}.bias_hh_l0"]
    from_input = g.linear(x, weights[f"{name}.weight_ih_l0"], bias, name=name)
    from_hidden = g.linear(
        hidden, weights[f"{name}.weight_hh_l0"], np.zeros_like(bias), name=f"{name}.hidden",
        limit=HIDDEN_LIMIT,
    )  # fmt: skip
    gates = g.op("Add", from_input, from_hidden)
    enter, keep, candidate, output = g.split(gates, [len(bias) // 4] * 4, axis=1)
    kept = g.op("Mul", g.op("Sigmoid", keep), cell)
    entered = g.op("Mul", g.op("Sigmoid", enter), g.op("Tanh", candidate))
    cell = g.op("Add", kept, entered)
    hidden = g.op("Mul", g.op("Sigmoid", output), g.op("Tanh", cell))
    state |= {f"{name}.hidden": hidden, f"{name}.cell": cell}
    return hidden


def _head(g: GraphWriter, x: str, name: str, shape: tuple[int, int], weights: Weights) -> str:
    """Log-probabilities [B, outputs, classes] of ``shape``."""
    logits = g.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"], name=name)
    return g.op("LogSoftmax", g.reshape(logits, [-1, *shape]), axis=-1)


def _spelling_features(g: GraphWriter, phones: str, config: ModelConfig) -> str:
    """Phones [B, outputs, phones] to [B, inputs], as `core.speller.Speller.features` does."""
    probabilities = g.op("Exp", phones)
    faint = g.constant(np.float32(FAINT), "faint")
    logs = g.op("Log", g.op("Add", probabilities, faint))
    scaled = g.op("Div", logs, g.constant(np.float32(LOG_SCALE), "log_scale"))
    raised = g.op("Add", scaled, g.constant(np.float32(1.0), "one"))
    return g.reshape(g.op("Concat", probabilities, raised, axis=2), [-1, config.speller_inputs])


def _spell(
    g: GraphWriter,
    x: str,
    layers: Sequence[str],
    state: dict[str, str],
    config: ModelConfig,
    weights: Weights,
) -> str:
    """As `core.speller.Speller.spell` does."""
    heard = ""
    for index, name in enumerate(layers):
        hidden = _lstm(g, name, x, state, weights)
        heard = g.op("Add", heard, hidden) if heard else hidden
        x = g.layer_norm(heard, weights, f"speller.norms.{index}")
    return _head(g, x, "speller.head", (config.unit_outputs, config.units), weights)


def _write(
    g: GraphWriter,
    heard: str,
    spelt: str,
    state: dict[str, str],
    config: ModelConfig,
    weights: Weights,
) -> str:
    """As `core.writer.Writer.write` does; the last unit in the state gives way to the new one."""
    last = state["writer_last"]
    told = g.op("Cast", last, to=TensorProto.INT64)
    number = g.op("Squeeze", told, g.integers([1]))
    table = g.constant(np.tanh(weights["writer.embedding.weight"]), "writer.told")
    x = g.op("Concat", heard, g.op("Gather", table, number, axis=0), axis=1)
    hidden = _lstm(g, "writer.lstm", x, state, weights)
    x = g.layer_norm(hidden, weights, "writer.norm")
    said = _head(g, x, "writer.head", (1, config.units), weights)
    if config.writer_heed:
        said = _heed(g, said, spelt, told, config)
    best = g.op("ArgMax", said, axis=2, keepdims=0)
    sure = g.op("ReduceMax", said, g.integers([2]), keepdims=0)
    written = g.op("Cast", best, to=TensorProto.FLOAT)
    blank = g.op("Equal", best, g.integers([BLANK]))
    state["writer_last"] = g.op("Where", blank, last, written)
    return g.op("Concat", *(g.reshape(x, [-1, 1, 1]) for x in (written, sure)), axis=2)


def _heed(g: GraphWriter, said: str, spelt: str, told: str, config: ModelConfig) -> str:
    """As `core.writer.Writer._say` does: said and spelt [B, 1, units], told [B, 1]."""
    last = g.reshape(told, [-1, 1, 1])
    blank, _ = g.split(spelt, [1, config.units - 1], axis=2)
    again = g.op("GatherElements", spelt, last, axis=2)
    raised = g.op("Softplus", g.op("Sub", again, blank))
    none = g.constant(np.float32(0.0), "none")
    raised = g.op("Where", g.op("Equal", last, g.integers([BLANK])), none, raised)
    here = np.zeros((1, 1, config.units), np.float32)
    here[0, 0, BLANK] = 1.0
    opinion = g.op("Add", spelt, g.op("Mul", raised, g.constant(here, "blank_alone")))
    shares = (1.0 - config.writer_heed, said, "own_share"), (config.writer_heed, opinion, "heed")
    parts = [g.op("Mul", x, g.constant(np.float32(share), name)) for share, x, name in shares]
    return g.op("LogSoftmax", g.op("Add", *parts), axis=-1)


def _model(g: GraphWriter, config: ModelConfig, names: Mapping[str, str]) -> onnx.ModelProto:
    """The nodes as a model; ``names`` are what it calls its outputs."""

    def value(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])

    for node in g.nodes:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
    outputs = [value("units", config.unit_outputs, config.units)]
    if config.phones:
        outputs.append(value("phones", config.outputs_per_step, config.phones))
    if config.writer_width:
        outputs.append(value("written", config.unit_outputs, 2))
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
