"""Dictation as its user has it: a virtual microphone that real speech is played into, the
program itself in a process of its own, and a real window that holds what it typed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest
import soundfile

from tests.desktop import GtkPad, Pad, ibus, lacks_gtk, missing, until, x_server
from tests.sound import SoundServer, sound_server

DATA = Path(__file__).parent / "data"
CLIPS = ["1970-28415-0030.flac", "163-122947-0014.flac", "5789-70653-0013.flac"]
PROGRAMS = ("pulseaudio", "pactl", "paplay", "Xvfb", "setxkbmap")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        bool(missing(*PROGRAMS, modules=("tkinter", "Xlib"))) or find_library("portaudio") is None,
        reason="needs pulseaudio, libportaudio2, libasound2-plugins, xvfb, python3-tk",
    ),
]
STREAMASR = [sys.executable, "-m", "streamasr"]


class Dictation:
    """The program, steered by its own verbs."""

    def __init__(self, *args: str) -> None:
        self.process = subprocess.Popen(
            [*STREAMASR, "dictate", *args], stderr=subprocess.PIPE, text=True
        )
        try:
            until(lambda: self.state != "", "the dictation does not start", 60)
        except AssertionError:
            self.process.kill()
            raise

    def tell(self, word: str) -> None:
        subprocess.run([*STREAMASR, "dictate", word], check=True, timeout=60)

    @property
    def state(self) -> str:
        file = Path(os.environ["XDG_RUNTIME_DIR"]) / "streamasr" / "dictate.json"
        try:
            return str(json.loads(file.read_text())["alt"])
        except FileNotFoundError:
            return ""

    def end(self) -> str:
        """End it; what it complained about."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.communicate(timeout=60)[1]
        finally:
            self.process.kill()


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """The language model, which the first start compiles."""
    transcribed(CLIPS[0])


@pytest.fixture
def sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    yield from sound_server(tmp_path, monkeypatch)


@pytest.fixture
def pad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pad]:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with x_server() as display:
        monkeypatch.setenv("DISPLAY", display)
        pad = Pad(display, tmp_path)
        pad.focus()
        yield pad
        pad.close()


def wav(folder: Path, name: str) -> Path:
    out = folder / f"{name}.wav"
    soundfile.write(out, *soundfile.read(DATA / name))
    return out


def transcribed(name: str) -> str:
    return " ".join(utterances(name).split())


def utterances(name: str) -> str:
    """What is recognised, a line each."""
    return output("transcribe", str(DATA / name))


def written(name: str) -> str:
    """What is to stand in the window, marks and capitals too."""
    return " ".join(output("punctuate", "text", input=utterances(name)).split())


def output(*args: str, input: str | None = None) -> str:
    done = subprocess.run(
        [*STREAMASR, *args], input=input, capture_output=True, text=True, check=True
    )
    return done.stdout


def bare(text: str) -> str:
    """A text without marks and capitals, which depend on what stood there before."""
    return " ".join(word.strip(",.?") for word in text.lower().split())


@pytest.mark.parametrize("layout", ["us", "de", "fr"])
def test_what_is_said_stands_in_the_window(
    sound: SoundServer, pad: Pad, tmp_path: Path, layout: str
) -> None:
    subprocess.run(["setxkbmap", layout], check=True)
    dictation = Dictation("--push")
    dictation.tell("start")
    sound.wait_for_recorder()
    seen = set()
    player = sound.play(wav(tmp_path, CLIPS[0]))
    while player.poll() is None:
        seen.add(pad.text)
        time.sleep(0.05)
    dictation.tell("stop")
    until(lambda: dictation.state == "idle", "it goes on")
    assert pad.holds(written(CLIPS[0]))
    assert len(seen) > 4, "words appear while they are said"
    assert (
        dictation.end()
        == "streamasr: ready: `streamasr dictate toggle` starts and stops; Ctrl-C ends\n"
    )
    assert dictation.process.returncode == 0


def test_text_waits_for_its_window_and_no_word_goes_elsewhere(
    sound: SoundServer, pad: Pad, tmp_path: Path
) -> None:
    other = Pad(os.environ["DISPLAY"], tmp_path, "Other")
    pad.focus()
    dictation = Dictation()
    sound.wait_for_recorder()
    player = sound.play(wav(tmp_path, CLIPS[0]))
    until(lambda: pad.text != "", "nothing is typed")
    other.focus()
    until(lambda: dictation.state == "holding", "it does not hold")
    player.wait()
    time.sleep(1.5)  # the utterance ends without its window
    assert other.text == ""
    pad.focus()
    assert pad.holds(written(CLIPS[0]))
    assert other.text == ""
    dictation.end()
    other.close()


def test_a_sound_server_that_dies_in_mid_sentence_is_survived(
    sound: SoundServer, pad: Pad, tmp_path: Path
) -> None:
    dictation = Dictation()
    sound.wait_for_recorder()
    player = sound.play(wav(tmp_path, CLIPS[0]))
    until(lambda: pad.text != "", "nothing is typed")
    sound.kill()
    player.wait()
    until(lambda: dictation.state == "stalled", "it is not noticed")
    sound.start()
    until(lambda: dictation.state == "listening", "it does not listen again")
    before = pad.text
    sound.wait_for_recorder()
    sound.play(wav(tmp_path, CLIPS[1])).wait()
    # its first word depends on how much silence the new sound server sends before it
    expected = transcribed(CLIPS[1]).partition(" ")[2]
    until(lambda: bare(pad.text).endswith(expected), f"{pad.text!r} ends not in {expected!r}")
    assert pad.text.startswith(before)
    complaints = dictation.end()
    assert "listening again" in complaints
    assert "Traceback" not in complaints


@pytest.mark.skipif(
    bool(missing("ibus-daemon", "dbus-daemon", modules=("jeepney",)) or lacks_gtk()),
    reason="needs ibus, python3-gi, gir1.2-gtk-3.0, ibus-gtk3",
)
def test_as_an_input_method_words_are_open_until_they_are_settled(
    pad: Pad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording as the microphone; the desktop's own IBus, a text field of GTK."""
    compiled = {"HOME": os.environ["HOME"], "XDG_CONFIG_HOME": str(tmp_path / ".config")}
    for name in ("HOME", "GTK_IM_MODULE", "NO_AT_BRIDGE", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.setenv(name, "")  # and put back
    expected = written(CLIPS[0])
    with ibus(tmp_path):
        gtk = GtkPad(os.environ["DISPLAY"], tmp_path)
        gtk.focus()
        subprocess.run(["setxkbmap", "fr"], check=True)
        runtime = compiled | {"XDG_RUNTIME_DIR": str(tmp_path)}
        dictation = subprocess.Popen(
            [*STREAMASR, "dictate", "--typing", "ibus", "--from", str(DATA / CLIPS[0])],
            stderr=subprocess.PIPE, text=True, env=os.environ | runtime,
        )  # fmt: skip
        shown = set()
        while dictation.poll() is None:
            shown.add(gtk.open)
            time.sleep(0.05)
        assert dictation.returncode == 0, dictation.communicate()
        dictation.communicate()
        assert gtk.shows(expected, "")
        assert len(shown) > 4, "words appear while they are said"
        assert subprocess.run(["ibus", "engine"], capture_output=True).stdout.strip()
        gtk.close()


@pytest.mark.skipif(bool(missing("sway", "foot", "wtype")), reason=missing("sway", "foot", "wtype"))
@pytest.mark.skipif(os.getuid() == 0 and not shutil.which("setpriv"), reason="sway refuses root")
def test_on_wayland_text_goes_through_the_virtual_keyboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sway without a screen, foot as the window, a recording as the microphone."""
    home = Path("/tmp") / f"streamasr-sway-{os.getpid()}"
    home.mkdir(mode=0o700)
    caught = home / "caught"
    drop = []
    if os.getuid() == 0:
        os.chown(home, 65534, 65534)
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for name, value in {
        "XDG_RUNTIME_DIR": str(home), "WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman",
        "WLR_LIBINPUT_NO_DEVICES": "1", "LIBSEAT_BACKEND": "noop", "HOME": str(home),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DISPLAY", raising=False)
    (home / "config").write_text("output * resolution 800x600\n")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    sway = subprocess.Popen([*drop, "sway", "-c", str(home / "config")], **quiet)  # type: ignore[call-overload]
    foot = None
    try:
        until(lambda: any(home.glob("sway-ipc.*.sock")), "sway does not start")
        monkeypatch.setenv("SWAYSOCK", str(next(iter(home.glob("sway-ipc.*.sock")))))
        until(lambda: any(home.glob("wayland-?")), "sway does not listen")
        monkeypatch.setenv("WAYLAND_DISPLAY", next(iter(home.glob("wayland-?"))).name)
        catch = f"stty -echo -icanon; cat > {caught}"
        foot = subprocess.Popen([*drop, "foot", "sh", "-c", catch], **quiet)  # type: ignore[call-overload]
        until(caught.exists, "the terminal does not open")
        done = subprocess.run(
            [*STREAMASR, "dictate", "--from", str(DATA / CLIPS[0])],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        expected = written(CLIPS[0])
        until(lambda: shown(caught) == expected, f"it holds {shown(caught)!r}, not {expected!r}")
    finally:
        for process in (foot, sway):
            if process is not None:
                process.terminate()
                process.wait()
        shutil.rmtree(home)


def shown(file: Path) -> str:
    """What a terminal shows of what came, once backspaces are done."""
    out = ""
    for letter in file.read_text(encoding="utf-8"):
        out = out[:-1] if letter == "\x7f" else out + letter
    return out
