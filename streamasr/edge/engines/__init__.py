"""Engines: the same small interface over ONNX Runtime and torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streamasr.core.options import DECODERS, DecoderName
from streamasr.core.proofreading import Proofreader
from streamasr.core.recognizer import Recognizer
from streamasr.edge.bundle import ARPA_FILE, find, load
from streamasr.edge.engines.base import SlottedEngine
from streamasr.edge.lm.arpa import read_words
from streamasr.edge.punctuation import punctuator_of
from streamasr.errors import MissingExtra, UsageError

DEVICES = ("auto", "cpu", "cuda")


def open_engine(
    path: Path,
    *,
    device: str = "auto",
    threads: int = 1,
    capacity: int = 1,
    kind: str = "auto",
    decoder: DecoderName = "auto",
) -> SlottedEngine:
    """Load a bundle into an engine.

    With ``decoder`` "graph", or "auto" where the bundle has a language model, that is
    loaded too, and streams use it unless they choose otherwise.

    ``kind`` is "onnx", "torch" or "auto": torch where its GPU is asked for, or is there
    and device is "auto"; ONNX Runtime otherwise.
    """
    if device not in DEVICES:
        raise UsageError(f"unknown device {device!r}", remedy=f"one of {', '.join(DEVICES)}")
    if decoder not in DECODERS:
        raise UsageError(f"unknown decoder {decoder!r}", remedy=f"one of {', '.join(DECODERS)}")
    if threads < 1 or capacity < 1:
        raise UsageError(f"threads and capacity are at least 1, got {threads} and {capacity}")
    bundle = load(path)
    punctuator = punctuator_of(bundle.info.get("language", "en"))
    bundle = replace(bundle, facts=replace(bundle.facts, punctuator=punctuator))
    if bundle.has_language_model:
        words = Proofreader(read_words(path / ARPA_FILE))
        bundle = replace(bundle, facts=replace(bundle.facts, proofreader=words))
    if bundle.resolve_decoder(decoder) == "graph":
        from streamasr.edge.lm.compile import load_graph

        bundle = replace(bundle, facts=replace(bundle.facts, graph=load_graph(bundle)))
    device = resolve_device(device)
    if kind == "auto":
        kind = "torch" if device == "cuda" else "onnx"
    if kind == "onnx":
        from streamasr.edge.engines.onnx import OnnxEngine

        return OnnxEngine(bundle, capacity=capacity, threads=threads)
    if kind != "torch":
        raise UsageError(f"unknown engine {kind!r}", remedy="onnx or torch")
    try:
        from streamasr.edge.engines.torch import TorchEngine
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name or "torch", "gpu") from None
    return TorchEngine(bundle, capacity=capacity, device=device)


def load_recognizer(
    model: str | None = None,
    *,
    device: str = "auto",
    threads: int = 1,
    capacity: int = 1,
    decoder: DecoderName = "auto",
) -> Recognizer:
    """Open a model by name or folder, the default one if none is named.

    ``capacity`` bounds how many streams may be open at once.
    """
    engine = open_engine(
        find(model), device=device, threads=threads, capacity=capacity, decoder=decoder
    )
    return Recognizer(engine)


def resolve_device(device: str) -> str:
    """What "auto" means here: "cuda" where torch finds one, or "cpu"."""
    if device != "auto":
        return device
    return "cuda" if _has_gpu() else "cpu"


def _has_gpu() -> bool:
    """Say whether a CUDA device can be used, without importing torch where there is none."""
    if not Path("/dev/nvidiactl").exists():
        return False
    try:
        import torch
    except ModuleNotFoundError:
        return False
    return torch.cuda.is_available()
