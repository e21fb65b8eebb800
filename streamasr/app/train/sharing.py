"""Store weights once: what the weights file holds too goes from the step graph."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto

from streamasr.edge.external import tensor_spans
from streamasr.edge.weights import INTEGERS
from streamasr.errors import BundleError


def share_weights(graph: onnx.ModelProto, weights: Path) -> None:
    """Replace the matrices of integers in ``graph``, in place, by references into ``weights``.

    Found byte for byte. Smaller constants stay: ONNX Runtime packs a matrix and lets go of the
    file, but would keep the rest mapped for as long as it runs. Raises BundleError where
    a matrix of the file is not in the graph: then the two do not hold the same network.
    """
    content = weights.read_bytes()
    spans = {n: s for n, s in tensor_spans(weights).items() if n.endswith(INTEGERS)}
    parts = {name: content[s.offset : s.offset + s.length] for name, s in spans.items()}
    places = {part: spans[name] for name, part in parts.items()}
    shared = set()
    for constant in graph.graph.initializer:
        span = places.get(constant.raw_data)
        if span is None:
            continue
        shared.add(constant.raw_data)
        constant.ClearField("raw_data")
        constant.data_location = TensorProto.EXTERNAL
        place = {"location": weights.name, "offset": span.offset, "length": span.length}
        for key, value in place.items():
            constant.external_data.add(key=key, value=str(value))
    missing = [name for name, part in parts.items() if part not in shared]
    if missing:
        raise BundleError(f"the graph does not multiply {', '.join(missing)} as stored")
