"""ONNX Runtime: how it is loaded, and how a network is opened in it.

From 1.29 on it reports what it runs to its maker unless it is told not to before it is loaded.
So nothing else here imports it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from streamasr.errors import BundleError

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()  # should somebody else have loaded it before
VERSION: str = onnxruntime.__version__
Session: TypeAlias = onnxruntime.InferenceSession
Binding: TypeAlias = onnxruntime.IOBinding


def open_session(model: Path | bytes, *, name: str, threads: int = 1) -> Session:
    """A network, from its file or from memory, on the CPU.

    Raises BundleError, which calls it ``name``, when it cannot run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model
    try:
        return Session(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen private kinds
        raise BundleError(f"{name} cannot run: {error}") from error
