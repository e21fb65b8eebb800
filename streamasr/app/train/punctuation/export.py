"""A punctuation network as one ONNX file, its weights as bytes.

    ids [n, FEATURES], h [1, 1, width], c [1, 1, width]
        -> scores [n, SCORES], new_h, new_c

The large matrices are int8 with a scale a row: the table is looked up as bytes, the LSTM's
are unfolded once, when the file is loaded.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from streamasr.app.train.onnx_graph import IR_VERSION, OPSET, GraphWriter
from streamasr.app.train.punctuation.network import PunctuationNetwork, Shape
from streamasr.core.punctuation.scores import SCORES
from streamasr.core.punctuation.tokens import AFFIX_BITS, FEATURES, WORD_BITS
from streamasr.edge.punctuation import FACTS_KEY, FORMAT
from streamasr.edge.weights import quantise_rows
from streamasr.errors import ConfigError

GATES = (0, 3, 1, 2)
"""ONNX wants the gates as input, output, forget, cell; torch has input, forget, cell, output."""
MATRICES = ("embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0")


def load(file: Path) -> PunctuationNetwork:
    """The network of a run's weights; raises ConfigError where the file is none."""
    try:
        with safe_open(file, "pt") as weights:
            facts = weights.metadata()
            shape = Shape(int(facts["embedding"]), int(facts["width"]), float(facts["dropout"]))
            model = PunctuationNetwork(shape)
            names = list(weights.keys())
            model.load_state_dict({name: weights.get_tensor(name) for name in names})
    except FileNotFoundError:
        raise ConfigError(f"no weights: {file}", remedy="train first") from None
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ConfigError(f"{file} holds no punctuation network: {error}") from None
    return model.eval()


def save(model: PunctuationNetwork, file: Path) -> None:
    """Write a network's weights and its shape."""
    shape = {name: str(value) for name, value in asdict(model.shape).items()}
    save_file(model.state_dict(), file, shape)
    file.chmod(0o644)  # safetensors keeps it to the owner


@torch.no_grad()
def rounded(model: PunctuationNetwork) -> PunctuationNetwork:
    """The same network with the weights that its file will hold."""
    copy = PunctuationNetwork(model.shape)
    copy.load_state_dict(model.state_dict())
    weights = dict(copy.named_parameters())
    for name in MATRICES:
        integers, scales = quantise_rows(weights[name])
        weights[name].copy_(integers.float() * scales[:, None])
    return copy.eval()


def write(model: PunctuationNetwork, file: Path) -> None:
    """Write a network to an ONNX file."""
    width, writer = model.shape.width, GraphWriter(None)
    weights = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    table, scales = (tensor.numpy() for tensor in quantise_rows(weights["embedding.weight"]))
    rows = writer.op("Cast", writer.op("Gather", writer.constant(table, "table"), "ids"), to=1)
    scale = writer.op("Gather", writer.constant(scales[:, None], "scales"), "ids")
    embedded = writer.op(
        "ReduceSum", writer.op("Mul", rows, scale), writer.integers([1]), keepdims=0
    )
    x = writer.op("Unsqueeze", embedded, writer.integers([1]))
    bias = torch.cat([_gates(weights[f"lstm.bias_{side}_l0"]) for side in ("ih", "hh")])
    said, new_h, new_c = writer.ops(
        "LSTM",
        x,
        *(_matrix(writer, weights[f"lstm.weight_{side}_l0"], side) for side in ("ih", "hh")),
        writer.constant(bias.numpy()[None], "lstm_bias"),
        "",
        "h",
        "c",
        outputs=3,
        hidden_size=width,
    )
    flat = writer.reshape(said, [-1, width])
    scores = writer.op(
        "Gemm",
        flat,
        writer.constant(weights["out.weight"].numpy(), "out_weight"),
        writer.constant(weights["out.bias"].numpy(), "out_bias"),
        transB=1,
    )
    for name, output in (("scores", scores), ("new_h", new_h), ("new_c", new_c)):
        writer.nodes.append(helper.make_node("Identity", [output], [name], name))
    state = [1, 1, width]
    graph = helper.make_graph(
        writer.nodes,
        "punctuation",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", FEATURES]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, state) for name in "hc"),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", SCORES]),
            helper.make_tensor_value_info("new_h", TensorProto.FLOAT, state),
            helper.make_tensor_value_info("new_c", TensorProto.FLOAT, state),
        ],
        writer.constants,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    proto.ir_version = IR_VERSION
    facts = {"format": FORMAT, "word_bits": WORD_BITS, "affix_bits": AFFIX_BITS}
    helper.set_model_props(proto, {FACTS_KEY: json.dumps(facts)})
    onnx.checker.check_model(proto, full_check=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(proto.SerializeToString())


def _gates(tensor: Tensor) -> Tensor:
    """Rows of an LSTM's matrix in the order that ONNX wants."""
    parts = tensor.chunk(4)
    return torch.cat([parts[gate] for gate in GATES])


def _matrix(writer: GraphWriter, weight: Tensor, name: str) -> str:
    integers, scales = quantise_rows(_gates(weight))
    values: NDArray[np.int8] = integers.numpy()
    floats = writer.op(
        "DequantizeLinear",
        writer.constant(values, f"lstm_{name}"),
        writer.constant(scales.numpy(), f"lstm_{name}_scales"),
        axis=0,
    )
    return writer.op("Unsqueeze", floats, writer.integers([0]))
