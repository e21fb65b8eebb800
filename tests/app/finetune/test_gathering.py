"""Speech of one person, from folders as people have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamasr.app.finetune.gathering import LEAST_S, gather, minutes, split
from streamasr.app.manifest import Utterance
from streamasr.errors import AudioFormatError, UsageError

RATE = 16_000


def say(file: Path, seconds: float = 20.0, text: str | None = "some words") -> None:
    """An audio file, with its text where there is one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, np.zeros(round(seconds * RATE), np.float32), RATE)
    if text is not None:
        file.with_suffix(".txt").write_text(text)


def manifest(folder: Path, rows: list[str]) -> None:
    lines = ["id\tpath\tduration_s\tspeaker\tsplit\ttext", *rows]
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")


def test_audio_beside_its_text_is_found_below_a_folder(tmp_path: Path) -> None:
    for index in range(4):
        say(tmp_path / f"day {index % 2}" / f"{index}.flac", text=f"Sentence {'abcd'[index]}.")
    say(tmp_path / "music.wav", text=None)
    speech = gather(tmp_path)
    assert [u.id for u in speech.utterances] == ["day 0/0", "day 0/2", "day 1/1", "day 1/3"]
    assert speech.duration_s == 80.0
    assert speech.told() == "4 utterances, 1:20 min (left out: 1 without a text beside it)"


def test_a_manifest_of_several_people_needs_a_name(tmp_path: Path) -> None:
    manifest(tmp_path, [f"u{i}\ta/{i}.wav\t16\t{'ab'[i % 2]}\ttrain\tword" for i in range(10)])
    with pytest.raises(UsageError, match=r"the speech of 2 people \(--speaker a, b\)"):
        gather(tmp_path)
    assert {u.speaker for u in gather(tmp_path, "b").utterances} == {"b"}
    with pytest.raises(UsageError, match="has nothing of zoe"):
        gather(tmp_path, "zoe")


def test_what_cannot_be_learnt_from_is_left_out_and_told(tmp_path: Path) -> None:
    for index in range(4):
        say(tmp_path / f"{index}.wav")
    say(tmp_path / "digits.wav", text="12 o'clock")
    say(tmp_path / "silent.wav", text="...")
    say(tmp_path / "long.wav", 31.0)
    told = gather(tmp_path).told()
    assert "4 utterances, 1:20 min" in told
    assert "2 with digits or no words in the text" in told
    assert "1 shorter than 0.4 s or longer than 30 s" in told


@pytest.mark.parametrize(
    ("clips", "fault"),
    [
        ({"a.wav": (20.0, "a b"), "b.wav": (20.0, "c d")}, "too little speech .* 2 utterances"),
        ({"a.wav": (29.0, "a"), "b.wav": (29.0, "b"), "c.wav": (29.0, "c")}, "too little speech"),
        ({"a.wav": (20.0, "...")}, "too little .* 1 with digits or no words"),
        ({"a.wav": (20.0, None)}, r"its words beside it \(write what a.wav says into a.txt\)"),
        ({}, "has no manifest.tsv and no audio .*--record"),
    ],
)
def test_too_little_is_refused_with_what_is_missing(
    tmp_path: Path, clips: dict[str, tuple[float, str | None]], fault: str
) -> None:
    for name, (seconds, text) in clips.items():
        say(tmp_path / name, seconds, text)
    with pytest.raises(UsageError, match=fault):
        gather(tmp_path)


def test_what_is_no_folder_no_audio_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no folder .*none \(--record makes one\)"):
        gather(tmp_path / "none")
    say(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(UsageError, match=r"a.txt is not UTF-8"):
        gather(tmp_path)
    (tmp_path / "a.wav").write_text("no audio")
    with pytest.raises(AudioFormatError, match=r"cannot read .*a.wav"):
        gather(tmp_path)


def test_a_sixth_is_held_back_evenly_and_never_nothing() -> None:
    def utterances(count: int) -> list[Utterance]:
        return [Utterance(str(i), Path(), 4.0, "me", "train", "x", "c") for i in range(count)]

    practice, held = split(utterances(60))
    assert [int(u.id) for u in held] == list(range(3, 60, 6))
    assert len(practice) == 50
    assert not {u.id for u in practice} & {u.id for u in held}
    practice, held = split(utterances(4))
    assert (len(practice), len(held)) == (3, 1)


def test_seconds_are_told_as_minutes() -> None:
    assert [minutes(s) for s in (0.0, LEAST_S, 125.4, 599.6)] == [
        "0:00 min", "1:00 min", "2:05 min", "10:00 min",
    ]  # fmt: skip
