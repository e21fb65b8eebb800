from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from streamasr.app.dictation.keeping import Keeper, forget, kept
from streamasr.app.finetune.gathering import gather
from streamasr.app.mixing import read_clip
from streamasr.core.dictation.style import Style
from streamasr.errors import ConfigError

SECOND = 16_000
STYLE = Style()


class Clock:
    """A second later at every look."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


def keeper(folder: Path, minutes: float = 60) -> Keeper:
    return Keeper(folder, minutes=minutes, now=Clock())


def say(keeper: Keeper, at: int, text: str, seconds: float = 3.0) -> np.ndarray:
    """An utterance with a second of silence on both sides, in blocks; its speech."""
    rng = np.random.default_rng(at)
    speech = rng.uniform(-0.5, 0.5, round(seconds * SECOND)).astype(np.float32)
    quiet = np.zeros(SECOND, np.float32)
    whole = np.concatenate([quiet, speech, quiet])
    for start in range(0, len(whole), 777):
        keeper.accept(at + start, whole[start : start + 777])
    keeper.final(text, at + SECOND, at + SECOND + len(speech), STYLE)
    return speech


def test_an_utterance_is_kept_with_its_audio_for_the_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "dictated"
    speech = say(keeper(folder), 5000, "hello comma world")
    (one,) = kept(folder)
    assert one.text == "hello comma world"
    assert folder.stat().st_mode & 0o777 == 0o700
    audio = read_clip(one.path)
    silence = round(0.4 * SECOND)
    assert len(audio) == len(speech) + 2 * silence
    assert np.allclose(audio[silence:-silence], speech, atol=1e-4)
    assert not audio[:silence].any()


def test_scratch_that_takes_the_one_before_away_and_commands_are_not_kept(tmp_path: Path) -> None:
    mine = keeper(tmp_path)
    for number, text in enumerate(
        ["first", "wrong", "scratch that", "right", "stop listening", "scratch that"]
    ):
        say(mine, number * 10 * SECOND, text)
    assert [u.text for u in kept(tmp_path)] == ["first", "right"], "a scratch reaches one back"
    assert len(list((tmp_path / "audio").iterdir())) == 2


def test_it_grows_to_its_bound(tmp_path: Path) -> None:
    mine = keeper(tmp_path, minutes=0.1)
    assert not mine.is_full
    for number in range(4):
        say(mine, number * 10 * SECOND, "words")
    assert len(kept(tmp_path)) == 2, "6 s are reached with the second"
    assert keeper(tmp_path, minutes=0.1).is_full


def test_lines_that_are_corrected_or_deleted_by_hand_hold(tmp_path: Path) -> None:
    mine = keeper(tmp_path)
    for number, text in enumerate(["their you are", "a cough", "the last"]):
        say(mine, number * 10 * SECOND, text)
    manifest = tmp_path / "manifest.tsv"
    lines = manifest.read_text().splitlines(keepends=True)
    lines[1] = lines[1].replace("their", "there")
    manifest.write_text("".join([*lines[:2], lines[3]]))
    say(mine, 40 * SECOND, "scratch that")
    assert [u.text for u in kept(tmp_path)] == ["there you are"]
    assert len(list((tmp_path / "audio").iterdir())) == 1


def test_audio_that_was_lost_is_left_out(tmp_path: Path) -> None:
    mine = keeper(tmp_path)
    half = np.full(SECOND, 0.5, np.float32)
    mine.accept(0, half)
    mine.accept(3 * SECOND, half)
    mine.final("some of it", 0, 4 * SECOND, STYLE)
    assert len(read_clip(kept(tmp_path)[0].path)) == 2 * SECOND


def test_memory_is_bounded(tmp_path: Path) -> None:
    mine = keeper(tmp_path)
    block = np.zeros(SECOND, np.float32)
    for second in range(200):
        mine.accept(second * SECOND, block)
    assert len(mine._blocks) <= 42


def test_what_was_kept_is_speech_to_adapt_with(tmp_path: Path) -> None:
    mine = keeper(tmp_path)
    for number in range(5):
        say(mine, number * 30 * SECOND, "words to learn from", seconds=15.0)
    assert len(gather(tmp_path).utterances) == 5


def test_forgetting_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "dictated"
    say(keeper(folder), 0, "words")
    assert forget(folder)
    assert not folder.exists()
    assert not forget(folder)
    assert kept(folder) == []


def test_a_broken_manifest_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.tsv").write_text("what\tis\tthis\n")
    with pytest.raises(ConfigError, match="lacks the columns"):
        keeper(tmp_path)
