"""A bundle's weights: what torch runs, and what fine-tuning begins with.

In an int8 bundle the matrices that the step graph multiplies as integers are stored as those
very integers, turned as ONNX multiplies them, with a scale an output: the graph points at
them (`edge.external`), so torch and ONNX run the same weights and these are stored once.
All else is float16, feature statistics float32.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from streamasr.errors import BundleError

INTEGERS = ".integers"
"""Ending of the name of a matrix of integers, int8 [in, out]; torch has it [out, in]."""
SCALES = ".scales"
"""Ending of the name of its scales, float32 [out]."""
LIMIT = 127.0


def quantise_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric int8 with one scale a row (output): integers [out, in], scales [out]."""
    scales = weight.abs().amax(dim=1).clamp(min=1e-8) / LIMIT
    return torch.round(weight / scales[:, None]).to(torch.int8), scales


def pack(weights: Mapping[str, Tensor], integers: Collection[str]) -> dict[str, Tensor]:
    """Float32 weights as they are stored; those named by ``integers`` as int8 and scales."""
    packed = {}
    for name, weight in weights.items():
        if name in integers:
            rows, packed[name + SCALES] = quantise_rows(weight)
            packed[name + INTEGERS] = rows.T
        elif name.startswith("log_mel"):
            packed[name] = weight.clone()
        else:
            packed[name] = weight.half()
    return {name: tensor.contiguous() for name, tensor in packed.items()}


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Float32 weights of packed ones."""
    weights = {}
    for name, tensor in packed.items():
        if name.endswith(SCALES):
            continue
        if name.endswith(INTEGERS):
            name = name.removesuffix(INTEGERS)
            weights[name] = tensor.T.contiguous().float() * packed[name + SCALES][:, None]
        else:
            weights[name] = tensor.float()
    return weights


def write_weights(packed: Mapping[str, Tensor], file: Path) -> None:
    save_file(dict(packed), file)
    file.chmod(0o644)  # safetensors keeps it to the owner


def read_weights(file: Path) -> dict[str, Tensor]:
    """Float32 weights of a bundle or of a run's epoch; raises BundleError for a broken file."""
    try:
        return unpack(load_file(file))
    except Exception as error:  # safetensors has one class for all that may be wrong
        raise BundleError(f"{file} holds no weights: {error}") from None
