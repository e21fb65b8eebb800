from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamasr.edge.inference import open_session
from streamasr.errors import BundleError

CLIP = Path(__file__).parents[1] / "data" / "1970-28415-0030.flac"
CI = ("CI", "TF_BUILD", "GITHUB_ACTIONS", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY")
"""Under any of these the runtime keeps quiet by itself."""


def test_the_runtime_keeps_no_identity_and_no_reports(tmp_path: Path) -> None:
    """It would write both below the cache, before it sends them."""
    kept = {name: value for name, value in os.environ.items() if name not in CI}
    homes = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "streamasr", "transcribe", "--decoder", "greedy", str(CLIP)]
    said = subprocess.run(command, env=kept | homes, capture_output=True, text=True, check=True)
    assert said.stdout.split()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in left if "streamasr" not in path.parts], left


def test_what_is_no_network_is_told(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"no network")
    with pytest.raises(BundleError, match=r"^mine cannot run: "):
        open_session(file, name="mine")
    with pytest.raises(BundleError, match=r"^mine cannot run: "):
        open_session(b"no network", name="mine")
