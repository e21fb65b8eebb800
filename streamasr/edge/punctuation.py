"""The punctuation model on onnxruntime: one file, found as the speech models are.

punctuator = Punctuator(open_network(find()))
"""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamasr.core.punctuation.punctuator import Memory, Punctuator
from streamasr.core.punctuation.tokens import AFFIX_BITS, WORD_BITS
from streamasr.edge.bundle import search_path
from streamasr.edge.inference import Session, open_session
from streamasr.errors import BundleError

DEFAULT = "en-punctuation"
FILE = "punctuation.onnx"
FACTS_KEY = "streamasr"
FORMAT = 1
"""Counts up where what a program must know of the network changes."""


def find(name: str | None = None) -> Path:
    """The file of a model, by its name or folder; raises BundleError."""
    if name is not None and (os.sep in name or Path(name, FILE).is_file()):
        return Path(name, FILE)
    wanted = name or DEFAULT
    for folder in search_path():
        if (folder / wanted / FILE).is_file():
            return folder / wanted / FILE
    raise BundleError(
        f"no punctuation model named {wanted!r}", remedy="install the package again, or train one"
    )


class OnnxNetwork:
    """Implements `core.punctuation.punctuator.Network`."""

    def __init__(self, file: Path) -> None:
        """Load a model file; raises BundleError where it is none, or too new."""
        self._session = open_session(file, name=str(file))
        facts = _facts(self._session, file)
        expected = {"format": FORMAT, "word_bits": WORD_BITS, "affix_bits": AFFIX_BITS}
        if facts != expected:
            raise BundleError(
                f"{file} is a model of {facts}, this program reads {expected}",
                remedy="update the program, or export the model again",
            )
        width = self._session.get_inputs()[1].shape[-1]
        self.start: Memory = (
            np.zeros((1, 1, width), np.float32),
            np.zeros((1, 1, width), np.float32),
        )

    def run(self, ids: NDArray[np.int64], memory: Memory) -> tuple[NDArray[np.float32], Memory]:
        """See `Network.run`."""
        scores, h, c = self._session.run(
            ["scores", "new_h", "new_c"], {"ids": ids, "h": memory[0], "c": memory[1]}
        )
        return scores, (h, c)


class LazyNetwork:
    """The same, read when it is first asked: most sessions want no marks."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @cached_property
    def _network(self) -> OnnxNetwork:
        return OnnxNetwork(self._file)

    @property
    def start(self) -> Memory:
        return self._network.start

    def run(self, ids: NDArray[np.int64], memory: Memory) -> tuple[NDArray[np.float32], Memory]:
        """See `Network.run`."""
        return self._network.run(ids, memory)


def punctuator_of(language: str) -> Punctuator | None:
    """What knows the marks of a language; None where no model of it is there."""
    try:
        return Punctuator(LazyNetwork(find(f"{language}-punctuation")))
    except BundleError:
        return None


def _facts(session: Session, file: Path) -> Any:
    text = session.get_modelmeta().custom_metadata_map.get(FACTS_KEY)
    try:
        return json.loads(text or "")
    except ValueError:
        raise BundleError(
            f"{file} is no punctuation model", remedy="see `streamasr punctuate`"
        ) from None
