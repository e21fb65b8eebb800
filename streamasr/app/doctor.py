"""Checks of this machine: each says what it found and, where something is amiss, what to do.

    for check in examine():
        print(check.status, check.name, check.found, check.remedy)

A failure is what keeps the daemon or `transcribe` from working; a warning is what one
of the other uses would miss.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path

from streamasr.errors import BundleError, DeviceError, MissingExtra, StreamasrError

OLDEST_PYTHON = (3, 11)
LIBRARIES = (
    "numpy",
    "streamasr.edge.inference",
    "webrtcvad",
    "soxr",
    "soundfile",
    "uvicorn",
    "websockets",
)
PORT = 2700
TIMED_STEPS = 50
SLOW_RTF = 0.5
"""Above this share of real time one stream leaves no room for anything else."""
ANSWER_S = 30.0
"""What a program that is asked for its version gets."""


class Status(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found."""

    name: str
    status: Status
    found: str
    remedy: str = ""


def examine(model: str | None = None, *, port: int = PORT) -> Iterator[Check]:
    """Run every check, each when it is asked for; none raises."""
    from streamasr.app.dictation.checkup import check_focus, check_typing

    checks: dict[str, Callable[[], Check]] = {
        "python": check_python,
        "libraries": check_libraries,
        "model": lambda: check_model(model),
        "engine": lambda: check_engine(model),
        "gpu": check_gpu,
        "microphone": check_microphone,
        "sound server": check_sound_server,
        "typing": check_typing,
        "focus": check_focus,
        "ffmpeg": check_ffmpeg,
        "port": lambda: check_port(port),
    }
    for name, check in checks.items():
        try:
            yield check()
        except StreamasrError as error:
            yield Check(name, Status.FAIL, error.message, error.remedy)
        except Exception as error:  # a broken part must not hide what the others find
            yield Check(name, Status.FAIL, f"{type(error).__name__}: {error}", "install it again")


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> Check:
    found = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return Check("python", Status.FAIL, found, "install Python 3.11 or newer")
    return Check("python", Status.OK, f"{found} at {sys.executable}")


def check_libraries(names: tuple[str, ...] = LIBRARIES) -> Check:
    broken = []
    for name in names:
        try:
            import_module(name)
        except (ImportError, OSError) as error:
            broken.append(f"{name}: {error}")
    if broken:
        return Check("libraries", Status.FAIL, "; ".join(broken), "pip install streamasr again")
    return Check("libraries", Status.OK, f"{len(names)} of {len(names)} load")


def check_model(name: str | None) -> Check:
    """Whether a model is there and its parts agree."""
    from streamasr.edge import bundle

    try:
        loaded = bundle.load(bundle.find(name))
    except BundleError as error:
        return Check("model", Status.FAIL, error.message, error.remedy)
    facts = loaded.facts
    decoders = "greedy and graph" if loaded.has_language_model else "greedy"
    found = f"{facts.name}, {facts.latency_ms:.0f} ms latency, {decoders}, at {loaded.path}"
    return Check("model", Status.OK, found)


def check_engine(name: str | None, *, clock: Callable[[], float] = time.perf_counter) -> Check:
    """Whether the CPU engine runs the model, and how fast: the median of some steps."""
    import numpy as np

    from streamasr.edge import bundle
    from streamasr.edge.engines import open_engine

    try:
        engine = open_engine(
            bundle.find(name), device="cpu", threads=1, capacity=1, decoder="greedy"
        )
    except BundleError as error:
        return Check("engine", Status.FAIL, f"not tried: {error.message}", error.remedy)
    slot = engine.open()
    samples = np.zeros(engine.facts.step_samples, np.float32)
    times = []
    for _ in range(TIMED_STEPS):
        started = clock()
        engine.step([(slot, samples)])
        times.append(clock() - started)
    engine.close(slot)
    step_s = statistics.median(times)
    rtf = step_s * engine.facts.sample_rate / engine.facts.step_samples
    found = f"ONNX Runtime, {step_s * 1000:.2f} ms a step, real-time factor {rtf:.4f}"
    if rtf >= 1:
        return Check("engine", Status.FAIL, found, "this processor is too slow for live speech")
    if rtf > SLOW_RTF:
        return Check("engine", Status.WARN, found, "close what else keeps the processor busy")
    return Check("engine", Status.OK, found)


def check_gpu() -> Check:
    """Whether torch and CUDA are there: good to know, never needed."""
    try:
        torch = import_module("torch")
    except ModuleNotFoundError:
        return Check("gpu", Status.OK, "no torch: the processor does the work, which is enough")
    except Exception as error:  # half an installation fails in many ways
        remedy = "pip install 'streamasr[gpu]' again, or remove torch"
        return Check("gpu", Status.WARN, f"torch does not load: {error}", remedy)
    if torch.cuda.is_available():
        return Check("gpu", Status.OK, f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    return Check("gpu", Status.OK, f"torch {torch.__version__}, no CUDA device")


def check_microphone() -> Check:
    from streamasr.edge.portaudio import PortAudio

    try:
        audio = PortAudio()
        device = audio.find(None)
    except (MissingExtra, DeviceError) as error:
        return Check("microphone", Status.WARN, error.message, error.remedy)
    return Check("microphone", Status.OK, f"{device.name}, of {len(audio.inputs())} inputs")


def check_sound_server(environ: Mapping[str, str] = os.environ) -> Check:
    """Whether PulseAudio or PipeWire answers on its socket."""
    for path in sound_sockets(environ):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(path))
            except OSError:
                continue
            return Check("sound server", Status.OK, f"answers at {path}")
    return Check(
        "sound server",
        Status.WARN,
        "none answers",
        "only `mic` needs one: start PipeWire or PulseAudio, or use an ALSA device",
    )


def sound_sockets(environ: Mapping[str, str]) -> list[Path]:
    """Where a sound server may listen, the one that the environment names first."""
    paths = []
    named = environ.get("PULSE_SERVER", "").removeprefix("unix:")
    if named.startswith("/"):
        paths.append(Path(named))
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    return [*paths, runtime / "pulse" / "native", runtime / "pipewire-0"]


def check_ffmpeg(program: str | None = None) -> Check:
    program = program or shutil.which("ffmpeg")
    if program is None:
        found = "not installed: only what libsndfile reads can be transcribed"
        return Check("ffmpeg", Status.WARN, found, "apt install ffmpeg")
    try:
        said = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=ANSWER_S
        )
    except subprocess.TimeoutExpired:
        found = f"{program} does not answer within {ANSWER_S:g} s"
        return Check("ffmpeg", Status.WARN, found, "try again when the machine is less busy")
    first_line = said.stdout.partition("\n")[0]
    if said.returncode or not first_line:
        return Check("ffmpeg", Status.WARN, f"{program} does not run", "install ffmpeg again")
    return Check("ffmpeg", Status.OK, first_line.partition(" Copyright")[0])


def check_port(port: int) -> Check:
    """Whether the daemon's usual port is free on this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Check(
                "port",
                Status.WARN,
                f"{port} is taken: {error.strerror}",
                "fine when the daemon runs already; else `streamasr serve --port` another",
            )
    return Check("port", Status.OK, f"{port} is free")
