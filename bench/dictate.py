"""Half an hour of dictation: does it leak, leave a key down, or lose a word?

    python bench/dictate.py DATA/speech/librispeech_test_clean_a                   # two minutes
    python bench/dictate.py DATA/speech/librispeech_test_clean_a --minutes 30 --save

Real time and real parts: speech is played into the sink of a PulseAudio of its own, `streamasr
dictate` records its monitor in a process of its own and types by XTEST into a text window on
an Xvfb of its own. Beside the recogniser a tap notes what it said and what is to stand in the
window. It fails (exit code 1) unless

    the window holds exactly what is to stand there, and every word that the recogniser said
    private memory grows by less than 20 KB a minute over the last third, of ten minutes and more
    threads and descriptors end where they began
    no key is ever down for half a second, and none at the end

The error rate against what was read is told too; it is not that of `streamasr eval`, since two
utterances may be one here.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import soundfile
import typer

from bench.daemon import _status
from bench.report import finish
from streamasr.app.manifest import Utterance, read_manifest
from streamasr.app.wer import count_errors
from tests.desktop import Pad, until, x_server
from tests.sound import SoundServer

RATE = 16_000
PAUSE_S = 1.2
ROOM = 10.0
"""Noise in the pauses, of 32768."""
SLOPE_KB = 20.0
"""Growth of private memory that is let pass, KB a minute."""
SETTLED = 10.0
"""Minutes before which buffers still fill."""
LOOK_S = 10.0
DOWN_S = 0.5
SHOWN_S = 60.0
"""What the window gets to show the last keys on a busy machine."""
TAPPED = "tapped"


def tap(out: Path, arguments: list[str]) -> None:
    """Be `streamasr`, and note each utterance and what is to stand in the window after it."""
    from streamasr.app import cli
    from streamasr.app.dictation import running
    from streamasr.app.dictation.writer import Writer

    notes = out.open("a", encoding="utf-8", buffering=1)

    class Tapped(Writer):
        def final(self, text: str) -> bool:
            is_stopped = super().final(text)
            target = self._manuscript.target
            note = {"said": text, "page": target.page, "base": target.base, "text": target.text}
            notes.write(json.dumps(note) + "\n")
            return is_stopped

    running.Writer = Tapped  # type: ignore[misc]
    cli.run(arguments)


def written(notes: list[dict[str, Any]]) -> str:
    """What is to stand in the window at the end."""
    text = ""
    for note in notes:
        assert note["page"] == 0, "the focus never moved"
        text = text[: note["base"]] + note["text"]
    return text


def bare(text: str) -> list[str]:
    return [word.strip(",.?").lower() for word in text.split()]


def programme(folder: Path, seconds: float, seed: int) -> list[Utterance]:
    """Utterances in random order, as many as fill the time with their pauses."""
    found = read_manifest(folder)
    random.Random(seed).shuffle(found)
    taken: list[Utterance] = []
    while sum(u.duration_s + PAUSE_S for u in taken) < seconds:
        taken.append(found[len(taken) % len(found)])
    return taken


def play(sound: SoundServer, utterances: list[Utterance]) -> threading.Thread:
    """Play them one after the other, in real time."""
    command = ["paplay", "--device=room", "--raw", f"--rate={RATE}", "--channels=1"]
    player = subprocess.Popen(
        [*command, "--format=s16le"], stdin=subprocess.PIPE, env=os.environ | sound.environ
    )
    assert player.stdin is not None
    pipe: IO[bytes] = player.stdin

    rng = np.random.default_rng(0)

    def work() -> None:
        for utterance in utterances:
            samples, rate = soundfile.read(utterance.path, dtype="int16")
            assert rate == RATE, f"{utterance.path} has {rate} Hz"
            pause = rng.normal(0, ROOM, round(PAUSE_S * RATE)).astype(np.int16)
            pipe.write(samples.tobytes() + pause.tobytes())
        pipe.close()
        player.wait()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


class Watch:
    """Looks at the process and at the keyboard while it dictates."""

    def __init__(self, process: subprocess.Popen[bytes], display: str) -> None:
        from Xlib.display import Display

        self._pid, self._process = process.pid, Path(f"/proc/{process.pid}")
        self._x = Display(display)
        self.stuck: set[int] = set()
        self.rows: list[dict[str, float]] = []
        self._began = time.monotonic()
        self._down: dict[int, float] = {}

    def look(self) -> None:
        """At the keys at each call, at the process now and then."""
        now = time.monotonic()
        self._down = {key: self._down.get(key, now) for key in self.keys_down()}
        self.stuck |= {key for key, since in self._down.items() if now - since > DOWN_S}
        if not self.rows or now - self._began > 60 * self.rows[-1]["minute"] + LOOK_S:
            self.rows.append(self._row((now - self._began) / 60))

    def keys_down(self) -> Iterator[int]:
        for place, byte in enumerate(self._x.query_keymap()):
            yield from (8 * place + bit for bit in range(8) if byte >> bit & 1)

    def _row(self, minute: float) -> dict[str, float]:
        return {
            "minute": round(minute, 2),
            "kb": _status(self._pid, "RssAnon"),
            "threads": len(list((self._process / "task").iterdir())),
            "descriptors": len(list((self._process / "fd").iterdir())),
        }

    def slope_kb(self) -> float:
        """Growth in KB a minute over the last third; NaN for too few looks."""
        rows = self.rows[2 * len(self.rows) // 3 :]
        if len(rows) < 3:
            return float("nan")
        return float(np.polyfit([r["minute"] for r in rows], [r["kb"] for r in rows], 1)[0])


def state() -> str:
    file = Path(os.environ["XDG_RUNTIME_DIR"]) / "streamasr" / "dictate.json"
    return str(json.loads(file.read_text())["alt"]) if file.exists() else ""


def dictate(
    stack: ExitStack, folder: Path, utterances: list[Utterance], arguments: list[str]
) -> dict[str, Any]:
    """Figures and faults of one dictation."""
    sound = SoundServer(folder)
    os.environ |= {k: v for k, v in sound.environ.items() if k != "HOME"}  # compiled models
    sound.start()
    stack.callback(sound.kill)
    os.environ["DISPLAY"] = display = stack.enter_context(x_server())
    os.environ.pop("WAYLAND_DISPLAY", None)
    pad = Pad(display, folder, save_ms=500)
    stack.callback(pad.close)
    pad.focus()
    taps, settings = folder / "taps", folder / "dictation.toml"
    settings.touch()
    process = subprocess.Popen(
        [
            sys.executable,
            __file__,
            TAPPED,
            str(taps),
            "dictate",
            "--config",
            str(settings),
            *arguments,
        ],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "told").open("wb"),
    )
    stack.callback(process.kill)
    until(lambda: state() == "listening" or process.poll() is not None, "it does not start", 180)
    assert process.poll() is None, (folder / "told").read_text()
    sound.wait_for_recorder()
    time.sleep(2)
    watch = Watch(process, display)
    playing = play(sound, utterances)
    while playing.is_alive():
        watch.look()
        time.sleep(0.1)
    until(lambda: state() == "listening", "it goes on", 60)
    time.sleep(2)
    watch.look()
    process.terminate()
    process.wait(60)
    assert process.returncode == 0, (folder / "told").read_text()
    notes = [json.loads(line) for line in taps.read_text().splitlines()]
    wanted, deadline = written(notes), time.monotonic() + SHOWN_S
    while (held := pad.text) != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    return judged(notes, held, watch, utterances, (folder / "told").read_text())


def judged(
    notes: list[dict[str, Any]], held: str, watch: Watch, utterances: list[Utterance], told: str
) -> dict[str, Any]:
    said = [word for note in notes for word in note["said"].split()]
    missing = Counter(bare(" ".join(said))) - Counter(bare(held))
    errors = count_errors([w for u in utterances for w in u.text.lower().split()], said)
    first, last = watch.rows[len(watch.rows) // 3], watch.rows[-1]
    slope, down = watch.slope_kb(), sorted(watch.keys_down())
    faults = []
    if held != written(notes):
        faults.append("the window does not hold what is to stand there")
    if missing:
        faults.append(f"lost words: {dict(missing)}")
    if watch.rows[-1]["minute"] >= SETTLED and slope > SLOPE_KB:
        faults.append(f"memory grows by {slope:.0f} KB a minute")
    if watch.stuck or down:
        faults.append(f"keys that were down: {sorted(watch.stuck)}, at the end {down}")
    faults += [
        f"{name} went from {first[name]} to {last[name]}"
        for name in ("threads", "descriptors")
        if last[name] > first[name]
    ]
    return {
        "utterances": len(notes),
        "words": len(said),
        "characters": len(held),
        "wer": round(100 * errors.rate, 2),
        "kb_first": first["kb"],
        "kb_last": last["kb"],
        "kb_per_minute": round(slope, 1),
        "minute_and_kb": [
            [row["minute"], row["kb"]] for row in watch.rows[:: len(watch.rows) // 15 + 1]
        ],
        "threads": last["threads"],
        "descriptors": last["descriptors"],
        "told": [line for line in told.splitlines() if line],
        "faults": faults,
    }


def main(
    folder: Path,
    minutes: float = 2.0,
    decoder: str = "auto",
    seed: int = 1,
    save: bool = False,
) -> None:
    utterances = programme(folder, 60 * minutes, seed)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        figures: dict[str, Any] = {"minutes": minutes, "decoder": decoder}
        figures |= dictate(stack, work, utterances, ["--decoder", decoder])
    for fault in figures["faults"]:
        print(fault, file=sys.stderr)
    finish("dictate", figures, save=save)
    raise typer.Exit(1 if figures["faults"] else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == [TAPPED]:
        tap(Path(sys.argv[2]), sys.argv[3:])
    else:
        typer.run(main)
