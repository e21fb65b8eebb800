"""Two short sounds: listening begins, listening has ended.

play("start")
"""

from __future__ import annotations

import io
import shutil
import subprocess
import threading

import numpy as np
import soundfile

RATE = 16_000
TONES = {"start": (660.0, 880.0), "stop": (880.0, 660.0)}
TONE_S = 0.07
LEVEL = 0.15
PLAYERS = (["pw-play", "-"], ["paplay"], ["aplay", "-q"])


def wav(name: str) -> bytes:
    """A sound as a WAV file."""
    time = np.arange(round(TONE_S * RATE)) / RATE
    fade = np.hanning(len(time))
    tones = [LEVEL * fade * np.sin(2 * np.pi * hz * time) for hz in TONES[name]]
    out = io.BytesIO()
    soundfile.write(out, np.concatenate(tones), RATE, format="WAV", subtype="PCM_16")
    return out.getvalue()


def play(name: str) -> None:
    """Play a sound without waiting; silently not, where no player is installed."""
    for args in PLAYERS:
        if shutil.which(args[0]):
            threading.Thread(target=_run, args=(args, wav(name)), daemon=True).start()
            return


def _run(args: list[str], data: bytes) -> None:
    with subprocess.Popen(
        args, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as player:
        player.communicate(data)
