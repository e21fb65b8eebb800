"""Reading aloud as its user does: a virtual microphone that real speech is played into."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from streamasr.app.manifest import read_manifest
from streamasr.app.mixing import read_clip
from tests.conftest import CLIP_TEXTS, DATA
from tests.sound import NEEDS_SOUND, SoundServer, sound_server
from tests.test_virtual_microphone import best_match

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    NEEDS_SOUND,
]
CLIPS = {text: DATA / name for name, text in CLIP_TEXTS.items()}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    yield from sound_server(tmp_path, monkeypatch)


class Session:
    """`streamasr finetune --record` in a process of its own."""

    def __init__(self, folder: Path, prompts: Path, model: Path) -> None:
        self.shown: list[str] = []
        command = [sys.executable, "-m", "streamasr", "finetune", str(folder), "--record"]
        command += ["--minutes", "1", "--prompts", str(prompts), "--model", str(model)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ.copy(),
        )

    def sentences(self) -> Iterator[str]:
        """Each sentence that it shows; the microphone is open by then."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            _, mark, sentence = line.rstrip("\n").partition("]  ")
            if mark:
                self.shown.append(sentence)
                yield sentence

    def end(self) -> tuple[int, str]:
        """Its exit code and what it said on the error stream."""
        _, said = self.process.communicate(timeout=120)
        return self.process.returncode, said


def test_sentences_are_shown_recorded_and_taken_up_again(
    server: SoundServer, tmp_path: Path, plain_bundle: Path
) -> None:
    prompts, folder = tmp_path / "prompts.txt", tmp_path / "speech"
    prompts.write_text("\n".join(CLIPS) + "\n")
    wavs = {}
    for text, clip in CLIPS.items():
        wavs[text] = tmp_path / f"{len(wavs)}.wav"
        soundfile.write(wavs[text], *soundfile.read(clip))

    first = Session(folder, prompts, plain_bundle)
    try:
        for sentence in first.sentences():
            if len(first.shown) == 2:
                first.process.send_signal(signal.SIGINT)
                break
            server.play(wavs[sentence]).wait()
        code, said = first.end()
    finally:
        first.process.kill()
    assert code == 130, said
    assert [u.text for u in read_manifest(folder)] == list(CLIPS)[:1]

    later = Session(folder, prompts, plain_bundle)
    try:
        for sentence in later.sentences():
            server.play(wavs[sentence]).wait()
        code, said = later.end()
    finally:
        later.process.kill()
    assert later.shown == list(CLIPS)[1:]
    assert "Traceback" not in said
    assert code == 2, said
    assert "too little speech" in said, "three sentences are no minute"
    for utterance, (text, clip) in zip(read_manifest(folder), CLIPS.items(), strict=True):
        assert utterance.text == text
        middle = read_clip(clip)[16_000:48_000]
        assert best_match(read_clip(utterance.path), middle) > 0.9
