"""One person's speech with its words, from a folder: a manifest, or audio beside its text.

speech = gather(Path("speech"))      # Speech: utterances, and what was left out
practice, held = split(speech.utterances)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import soundfile

from streamasr.app.manifest import MANIFEST, Utterance, read_manifest
from streamasr.app.text import is_speakable
from streamasr.errors import AudioFormatError, UsageError

AUDIO = (".wav", ".flac", ".ogg", ".opus", ".mp3")
SHORTEST_S, LONGEST_S = 0.4, 30.0
LEAST_S = 60.0
"""Less speech than this teaches nothing that could be told from chance."""
HELD_EVERY = 6
SHOWN = 4


@dataclass(slots=True)
class Speech:
    """What a folder holds of one speaker."""

    utterances: list[Utterance] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> utterances."""

    @property
    def duration_s(self) -> float:
        return sum(u.duration_s for u in self.utterances)

    def keep(self, utterances: Sequence[Utterance], reason: str) -> None:
        """Go on with these, a subset; the others are left out."""
        dropped = len(self.utterances) - len(utterances)
        if dropped:
            self.left_out[reason] += dropped
        self.utterances = list(utterances)

    def told(self) -> str:
        """How much there is, and what was left out, in one line."""
        text = f"{len(self.utterances)} utterances, {minutes(self.duration_s)}"
        reasons = "; ".join(f"{count} {why}" for why, count in self.left_out.items())
        return f"{text} (left out: {reasons})" if reasons else text


def minutes(seconds: float) -> str:
    """Seconds as minutes and seconds: 125.0 is "2:05 min"."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d} min"


def gather(folder: Path, speaker: str | None = None) -> Speech:
    """Read what can be used of a folder; raises UsageError where that is too little.

    Of a manifest with several speakers one must be named.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", remedy="--record makes one")
    if (folder / MANIFEST).is_file():
        speech = Speech(_of_one_speaker(read_manifest(folder), folder, speaker))
    else:
        speech = _pairs(folder)
    usable = [u for u in speech.utterances if is_speakable(u.text)]
    speech.keep(usable, "with digits or no words in the text")
    fitting = [u for u in usable if SHORTEST_S <= u.duration_s <= LONGEST_S]
    speech.keep(fitting, f"shorter than {SHORTEST_S:g} s or longer than {LONGEST_S:g} s")
    check_enough(speech, folder)
    return speech


def check_enough(speech: Speech, folder: Path) -> None:
    """Raise UsageError where there is too little to learn from."""
    if speech.duration_s < LEAST_S or len(speech.utterances) < 4:
        raise UsageError(
            f"{folder} has too little speech that can be used: {speech.told()}",
            remedy=f"at least {LEAST_S:.0f} s in four utterances or more; ten minutes do best",
        )


def split(utterances: Sequence[Utterance]) -> tuple[list[Utterance], list[Utterance]]:
    """Utterances to learn from, and others, evenly between them, to judge by."""
    held = utterances[HELD_EVERY // 2 :: HELD_EVERY]
    names = {u.id for u in held}
    return [u for u in utterances if u.id not in names], list(held)


def _of_one_speaker(
    utterances: Sequence[Utterance], folder: Path, speaker: str | None
) -> list[Utterance]:
    speakers = sorted({u.speaker for u in utterances})
    if speaker is None and len(speakers) > 1:
        shown = ", ".join(speakers[:SHOWN]) + (" ..." if len(speakers) > SHOWN else "")
        raise UsageError(
            f"{folder} holds the speech of {len(speakers)} people", remedy=f"--speaker {shown}"
        )
    chosen = [u for u in utterances if speaker in (None, u.speaker)]
    if not chosen:
        raise UsageError(f"{folder / MANIFEST} has nothing of {speaker or 'anybody'}")
    return chosen


def _pairs(folder: Path) -> Speech:
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO)
    if not files:
        raise UsageError(
            f"{folder} has no {MANIFEST} and no audio",
            remedy=f"put {', '.join(AUDIO)} there, each beside its words in a .txt; or --record",
        )
    speech = Speech()
    speech.utterances = list(_read_pairs(files, folder))
    if not speech.utterances:
        raise UsageError(
            f"no audio in {folder} has its words beside it",
            remedy=f"write what {files[0].name} says into {files[0].with_suffix('.txt').name}",
        )
    if len(files) > len(speech.utterances):
        speech.left_out["without a text beside it"] = len(files) - len(speech.utterances)
    return speech


def _read_pairs(files: Sequence[Path], folder: Path) -> Iterator[Utterance]:
    for file in files:
        text = file.with_suffix(".txt")
        if not text.is_file():
            continue
        try:
            seconds = float(soundfile.info(file).duration)
            words = text.read_text(encoding="utf-8")
        except (soundfile.LibsndfileError, OSError) as error:
            raise AudioFormatError(f"cannot read {file}: {error}") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{text} is not UTF-8: {error}") from None
        name = str(file.relative_to(folder).with_suffix(""))
        yield Utterance(name, file, seconds, "me", "train", words, folder.name)
