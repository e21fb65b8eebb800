"""The torch engine: the reference on the CPU, and the way to a GPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from streamasr.core.model import Emissions
from streamasr.core.network import AcousticModel
from streamasr.edge.bundle import Bundle
from streamasr.edge.engines.base import SlottedEngine
from streamasr.edge.weights import read_weights
from streamasr.errors import BundleError, UsageError

Floats = NDArray[np.float32]


def load_network(bundle: Bundle) -> AcousticModel:
    """Build the network of a bundle with its weights, in float32, for evaluation."""
    model = AcousticModel(bundle.config)
    try:
        model.load_state_dict(read_weights(bundle.weights_file))
    except RuntimeError as error:
        raise BundleError(f"{bundle.path.name}: the weights do not fit: {error}") from None
    return model.eval()


class TorchEngine(SlottedEngine):
    """Steps streams through `AcousticModel`, with the slab of state on the device."""

    def __init__(self, bundle: Bundle, *, capacity: int, device: str) -> None:
        super().__init__(capacity)
        if device == "cuda" and not torch.cuda.is_available():
            raise UsageError("torch finds no CUDA device", remedy="--device cpu")
        self.facts = bundle.facts
        self.device = device
        self._model = load_network(bundle).to(device)
        self._slab = torch.zeros(capacity, bundle.facts.state_size, device=device)

    def reset(self, slot: int) -> None:
        self._slab[slot].zero_()

    @torch.inference_mode()
    def step(self, batch: Sequence[tuple[int, Floats]]) -> list[Emissions]:
        """See `core.recognizer.Engine.step`: one upload, one download."""
        if not batch:
            return []
        slots = torch.tensor([slot for slot, _ in batch], device=self.device)
        samples = torch.from_numpy(np.stack([s for _, s in batch])).to(self.device)
        emissions = self._model(samples, self._slab[slots])
        self._slab[slots] = emissions.state
        units = emissions.units.cpu().numpy()
        if emissions.phones is None:
            return [Emissions(row) for row in units]
        phones = emissions.phones.cpu().numpy()
        return [Emissions(*rows) for rows in zip(units, phones, strict=True)]
