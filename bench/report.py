"""What every benchmark ends with: one JSON line, also kept under bench/results/."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
CLIPS = Path(__file__).parent.parent / "tests" / "data"


def machine() -> dict[str, Any]:
    """The processor, its cores that we may use, and the versions that matter."""
    from streamasr.edge.inference import VERSION

    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "onnxruntime": VERSION,
    }


def commit() -> str:
    """The commit that was measured, marked where the tree differs from it."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            capture_output=True, text=True, check=True, cwd=RESULTS.parent,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def finish(name: str, figures: dict[str, Any], *, save: bool) -> None:
    """Print the JSON line; with ``save`` append it to bench/results/<name>.jsonl."""
    line = json.dumps(
        {
            "bench": name,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            **figures,
            "machine": machine(),
        }
    )
    if save:
        RESULTS.mkdir(exist_ok=True)
        with (RESULTS / f"{name}.jsonl").open("a") as out:
            out.write(line + "\n")
    print(line)


def spread(values: list[float], digits: int = 1) -> dict[str, float]:
    """Median and tail of a list of figures."""
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {
        "p50": round(float(p50), digits),
        "p95": round(float(p95), digits),
        "p99": round(float(p99), digits),
        "n": len(values),
    }
