"""How large the input of each linear layer gets: what int8 activations must hold."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from streamasr.core.network import AcousticModel

KEPT = 0.9999
"""Share of values inside the limit; the rest saturates."""


@torch.no_grad()
def measure_limits(model: AcousticModel, batches: Iterable[Tensor]) -> dict[str, float]:
    """Run samples [batch, n] through the model; returns a limit of |x| a linear layer."""
    watched: dict[str, nn.Module] = {"project": model.project}
    watched |= {f"lstms.{i}": norm for i, norm in enumerate(model.norms)}
    if model.config.phones:
        watched["phone_head"] = model.phone_norm
    if model.config.speller_layers:
        norms = list(model.speller.norms)
        watched |= {f"speller.lstms.{i}": norm for i, norm in enumerate(norms[:-1], start=1)}
        watched["speller.head"] = norms[-1]
    else:
        watched["unit_head"] = model.unit_norm
    if model.config.writer_width:
        watched["writer.head"] = model.writer.norm
    limits: dict[str, float] = {}
    if model.config.speller_layers:
        # probabilities, their logarithms in 0..1, and units told in -1..1
        limits |= {"speller.lstms.0": 1.0, "writer.lstm": 1.0}

    def watch(name: str, values: Tensor) -> None:
        flat = values.abs().flatten()
        rank = max(1, round(flat.numel() * KEPT))
        limits[name] = max(limits.get(name, 0.0), float(flat.kthvalue(rank).values))

    handles = []
    for name, module in watched.items():
        if name == "project":
            handles.append(
                module.register_forward_pre_hook(lambda _, x, name=name: watch(name, x[0]))
            )
        else:
            handles.append(module.register_forward_hook(lambda _, __, y, name=name: watch(name, y)))
    try:
        for samples in batches:
            model(samples)
    finally:
        for handle in handles:
            handle.remove()
    return limits
