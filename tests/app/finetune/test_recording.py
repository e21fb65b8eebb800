"""Sentences read aloud, as a real recogniser hears real speech."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from streamasr.app.finetune.prompts import Prompt
from streamasr.app.finetune.recording import Keys, Reader, begins, fits
from streamasr.app.finetune.shelf import Shelf
from streamasr.app.live import Display
from streamasr.app.mixing import read_clip
from streamasr.core.audio import Samples
from streamasr.core.recognizer import Engine
from streamasr.edge.engines import open_engine
from streamasr.edge.microphone import Heard, Item, Lost, Resumed, Stalled
from tests.conftest import CLIP_TEXTS, DATA

CLIPS = {text: read_clip(DATA / name) for name, text in CLIP_TEXTS.items()}
PROMPTS = [Prompt(text) for text in CLIPS]
FIRST, SECOND, THIRD = (prompt.text for prompt in PROMPTS)
BLOCK = 1600


@pytest.fixture(scope="module")
def engine(plain_bundle: Path) -> Engine:
    return open_engine(plain_bundle, device="cpu")


def hush(seconds: float) -> Samples:
    return np.random.default_rng(0).normal(0, 1e-4, round(seconds * 16_000)).astype(np.float32)


def heard(*parts: Samples) -> Iterator[Item]:
    """Speech in blocks as a microphone gives them."""
    samples = np.concatenate(parts)
    return (Heard(samples[at : at + BLOCK]) for at in range(0, len(samples), BLOCK))


def read(text: str, gain: float = 1.0) -> Iterator[Item]:
    """A sentence, and the pause after it."""
    return heard(hush(0.5), np.float32(gain) * CLIPS[text], hush(1.6))


class Session:
    """A reader and what it showed."""

    def __init__(self, engine: Engine, folder: Path, typed: list[str | None] | None = None) -> None:
        self.shelf = Shelf(folder)
        self.out, self.err = io.StringIO(), io.StringIO()
        lines = iter(typed or [])
        self.reader = Reader(
            engine,
            self.shelf,
            PROMPTS,
            Display(self.out, self.err),
            keys=lambda: next(lines, None),
        )

    def run(self, *items: Iterator[Item], seconds: float = 600.0) -> bool:
        return self.reader.run(chain(*items), seconds=seconds)

    @property
    def shown(self) -> list[str]:
        """The sentences, in the order they were shown."""
        return [x.partition("]  ")[2] for x in self.out.getvalue().splitlines() if x]

    @property
    def kept(self) -> list[str]:
        return [prompt.text for prompt in PROMPTS if prompt.id in self.shelf]


def test_what_is_read_is_kept_with_a_little_silence_around(engine: Engine, tmp_path: Path) -> None:
    session = Session(engine, tmp_path)
    assert session.run(read(FIRST), read(SECOND), read(THIRD))
    assert session.shown == [FIRST, SECOND, THIRD]
    assert session.kept == [FIRST, SECOND, THIRD]
    assert session.err.getvalue() == ""
    for prompt in PROMPTS:
        kept = len(read_clip(tmp_path / "audio" / f"{prompt.id}.flac")) / 16_000
        assert 0 < kept - 0.5 < len(CLIPS[prompt.text]) / 16_000 + 0.5
    recorded = read_clip(tmp_path / "audio" / f"{PROMPTS[0].id}.flac")
    product = np.correlate(recorded, CLIPS[FIRST][8000:24000], "valid")
    stretch = recorded[int(np.argmax(product)) :][:16000]
    assert np.corrcoef(stretch, CLIPS[FIRST][8000:24000])[0, 1] > 0.99


def test_another_sentence_is_asked_for_again_and_given_up_after_three(
    engine: Engine, tmp_path: Path
) -> None:
    session = Session(engine, tmp_path)
    assert not session.run(read(SECOND), read(FIRST), read(FIRST), read(FIRST), read(FIRST))
    assert session.shown == [FIRST, FIRST, SECOND, SECOND, SECOND, THIRD]
    assert session.kept == [FIRST]
    notes = session.err.getvalue().splitlines()
    assert len(notes) == 4
    assert "please read it again" in notes[0]
    assert "leaving this sentence out" in notes[3]


def test_a_session_ends_with_enough_speech_and_goes_on_where_it_was(
    engine: Engine, tmp_path: Path
) -> None:
    first = Session(engine, tmp_path)
    assert first.run(read(FIRST), read(SECOND), seconds=2.0)
    assert first.shown == first.kept == [FIRST]
    later = Session(engine, tmp_path)
    assert not later.run(read(SECOND))
    assert later.shown == [SECOND, THIRD]
    assert later.kept == [FIRST, SECOND]
    assert Session(engine, tmp_path).run(seconds=2.0), "there is enough already"


def test_enter_ends_a_sentence_at_once(engine: Engine, tmp_path: Path) -> None:
    blocks = list(heard(hush(0.5), CLIPS[FIRST]))
    session = Session(engine, tmp_path, [None] * (len(blocks) - 1) + [""])
    session.run(iter(blocks))
    assert session.kept == [FIRST]


def test_a_sentence_is_skipped_by_a_key(engine: Engine, tmp_path: Path) -> None:
    session = Session(engine, tmp_path, ["s"])
    session.run(read(SECOND))
    assert session.shown == [FIRST, SECOND, THIRD]
    assert session.kept == [SECOND]


def test_a_sentence_with_a_hole_is_read_again(engine: Engine, tmp_path: Path) -> None:
    session = Session(engine, tmp_path)
    half = heard(hush(0.5), CLIPS[FIRST][:20_000])
    holes: list[Item] = [Lost(4000)]
    away: list[Item] = [Stalled("usb"), Resumed("usb")]
    session.run(half, iter(holes), read(FIRST), iter(away), read(SECOND))
    assert session.kept == [FIRST, SECOND]
    assert session.shown == [FIRST, FIRST, SECOND, SECOND, THIRD]
    assert "some of it was not heard" in session.err.getvalue()
    assert "listening again, to usb" in session.err.getvalue()


def test_whispers_from_afar_and_a_clipping_microphone_are_told(
    engine: Engine, tmp_path: Path
) -> None:
    session = Session(engine, tmp_path)
    loud = np.clip(40 * CLIPS[SECOND], -1, 1)
    session.run(read(FIRST, 0.05), heard(loud, hush(1.6)))
    assert "too quiet" in session.err.getvalue()
    assert "the microphone clips" in session.err.getvalue()
    assert FIRST not in session.kept


def test_silence_before_a_sentence_is_forgotten(engine: Engine, tmp_path: Path) -> None:
    session = Session(engine, tmp_path)
    session.run(heard(hush(30.0)), read(FIRST))
    assert session.kept == [FIRST]
    assert session.shelf.seconds < len(CLIPS[FIRST]) / 16_000 + 1.0


def test_keys_are_the_lines_of_a_terminal() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as source, os.fdopen(writing, "w") as terminal:
        keys = Keys(source)
        assert keys() is None
        terminal.write("\n S \n")
        terminal.close()
        found: list[str] = []
        while len(found) < 2:
            line = keys()
            found += [] if line is None else [line]
    assert found == ["", "s"]


def test_what_is_misheard_is_forgiven_and_another_sentence_is_not() -> None:
    assert fits("end what time at was sheet asked what the tie was", THIRD)
    assert not fits(FIRST, SECOND)
    assert not fits("she had asked what the time was", THIRD), "half of it is missing"
    assert begins("and went i was", THIRD)
    assert not begins("she had asked what", THIRD)
    assert not begins(THIRD, THIRD)


def test_a_pause_inside_a_sentence_does_not_end_it(engine: Engine, tmp_path: Path) -> None:
    """The third clip holds more than a second of silence."""
    session = Session(engine, tmp_path)
    session.run(read(FIRST), read(SECOND), read(THIRD))
    assert session.shelf.seconds > sum(len(c) for c in CLIPS.values()) / 16_000 - 2.0


def test_a_sentence_that_is_not_finished_is_asked_for_again(engine: Engine, tmp_path: Path) -> None:
    session = Session(engine, tmp_path)
    half = CLIPS[SECOND][:44_000]
    session.run(read(FIRST), heard(hush(0.3), half, hush(5.0)), read(SECOND))
    assert session.shown == [FIRST, SECOND, SECOND, THIRD]
    assert session.kept == [FIRST, SECOND]
