"""Weights that model.onnx does not hold itself, but points at in weights.safetensors.

ONNX calls this external data: a tensor names a file, an offset and a length. A safetensors
file is the length of its header (8 bytes, little-endian), the header (JSON), and the bytes
of the tensors, so both formats can mean the same bytes, which are then stored once. ONNX
Runtime maps the file while it packs the weights, and lets go of it.

A bundle may point at whole tensors of its own weights file and at nothing else; `check`
refuses the rest. It reads the few fields of ONNX that it needs, so that a daemon does
without the onnx package.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from streamasr.errors import BundleError

REMEDY = "install the model again, or export it again"
HEADER_LIMIT = 1 << 20
"""Longest header of a safetensors file that is read, in bytes."""

NESTED = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
}
"""Messages of onnx.proto that may hold tensors: field numbers and what they hold."""
TENSOR_NAME, TENSOR_EXTERNAL, TENSOR_LOCATION = 8, 13, 14
EXTERNAL = 1

Field = tuple[int, int | memoryview]


class Span(NamedTuple):
    """Where a tensor's bytes lie in a file."""

    offset: int
    length: int


class Reference(NamedTuple):
    """A tensor of a graph that lies in another file."""

    tensor: str
    file: str
    """As the graph names it, relative to its own folder."""
    span: Span


def check(graph: Path, weights: Path) -> None:
    """Raise BundleError unless all that ``graph`` points at are tensors of ``weights``."""
    name = graph.parent.name
    try:
        found = list(references(graph.read_bytes()))
    except (ValueError, IndexError, RecursionError):
        raise BundleError(f"{name}: {graph.name} is no ONNX model", remedy=REMEDY) from None
    allowed = set(tensor_spans(weights).values()) if found else set()
    for tensor, file, span in found:
        if file != weights.name:
            raise BundleError(
                f"{name}: {graph.name} keeps {tensor} in {file!r}, which is not {weights.name}",
                remedy=REMEDY,
            )
        if span not in allowed:
            raise BundleError(
                f"{name}: {graph.name} looks for {tensor} in {span.length} bytes from "
                f"{span.offset} of {weights.name}, where no tensor lies",
                remedy=REMEDY,
            )


def tensor_spans(weights: Path) -> dict[str, Span]:
    """Where each tensor of a safetensors file lies; raises BundleError for a broken one."""
    try:
        with weights.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            if not 0 < size <= HEADER_LIMIT:
                raise ValueError("header too long")
            header = json.loads(stream.read(size))
        header.pop("__metadata__", None)
        ends = {name: entry["data_offsets"] for name, entry in header.items()}
        spans = {name: Span(8 + size + begin, end - begin) for name, (begin, end) in ends.items()}
        total = weights.stat().st_size
        if any(s.offset + s.length > total or s.length < 0 for s in spans.values()):
            raise ValueError("a tensor lies outside of the file")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BundleError(f"{weights} holds no weights: {error}", remedy=REMEDY) from None
    return spans


def references(graph: bytes) -> Iterator[Reference]:
    """Every tensor of a serialised graph that lies elsewhere; ValueError for a broken graph."""
    return _references(memoryview(graph), "model")


def _references(message: memoryview, kind: str) -> Iterator[Reference]:
    if kind == "tensor":
        yield from _reference(message)
        return
    for number, value in _fields(message):
        inside = NESTED[kind].get(number)
        if inside and isinstance(value, memoryview):
            yield from _references(value, inside)


def _reference(tensor: memoryview) -> Iterator[Reference]:
    name, elsewhere = "", False
    entries: dict[str, str] = {}
    for number, value in _fields(tensor):
        if number == TENSOR_LOCATION:
            elsewhere = value == EXTERNAL
        elif isinstance(value, int):
            continue
        elif number == TENSOR_NAME:
            name = bytes(value).decode()
        elif number == TENSOR_EXTERNAL:
            pair = {n: bytes(v).decode() for n, v in _fields(value) if isinstance(v, memoryview)}
            if pair.get(1, "") in entries:  # readers may differ in which one they believe
                raise ValueError(f"{name} says twice where it lies")
            entries[pair.get(1, "")] = pair.get(2, "")
    if elsewhere or entries:
        span = Span(_number(entries, "offset"), _number(entries, "length"))
        yield Reference(name, entries.get("location", ""), span)


def _number(entries: dict[str, str], key: str) -> int:
    text = entries.get(key, "")
    return int(text) if text.isascii() and text.isdigit() else -1


def _fields(message: memoryview) -> Iterator[Field]:
    """Number and value of a protobuf message's fields: integers, or the bytes of the rest."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"field {number} has an unknown wire type")
        if at + size > len(message):
            raise ValueError(f"field {number} is cut short")
        yield number, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("an integer is too long")
