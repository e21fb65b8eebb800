"""From a person's speech to a model of their own, judged before it is installed.

outcome = make(base, speech, workdir, name="en-small-me")
outcome.scores["graph"]          # errors on held-back speech, before and after
if outcome.is_better: install(outcome.candidate)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from streamasr.app.alignment import read_alignments
from streamasr.app.evaluate import Task, decode_all
from streamasr.app.finetune import gathering, personal
from streamasr.app.finetune.gathering import Speech
from streamasr.app.manifest import Utterance, thin_out
from streamasr.app.train.adapt import Adaptation, Adapted, adapt
from streamasr.app.train.aligner import Pronouncer, align_corpus
from streamasr.app.train.cache import AudioCache
from streamasr.app.train.examples import Corpus
from streamasr.app.train.export import read_speech
from streamasr.app.wer import Errors
from streamasr.core.options import DecoderName
from streamasr.edge.bundle import LEXICON_FILE, Bundle
from streamasr.edge.lm.lexicon import read_cmudict, read_lexicon
from streamasr.edge.lm.pronounce import letter_reader

LEAST_SCORE = -2.2
"""Mean log posterior of aligned frames: what was said scored -0.8 to -1.4, others below -2.5."""
CALIBRATED_ON = 8
"""Utterances that tell the ranges of the integers."""
MISFIT = "whose sound does not fit the text"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Score:
    """Word errors of one decoder on held-back speech."""

    before: Errors
    after: Errors


@dataclass(frozen=True, slots=True)
class Outcome:
    """A personal model that is not installed yet, and how good it is."""

    candidate: Path
    adapted: Adapted
    speech: Speech
    scores: dict[DecoderName, Score]
    seconds: float

    @property
    def is_better(self) -> bool:
        """Whether there are fewer errors on held-back speech than before, of all decoders."""
        before, after = (
            sum(getattr(score, when).total for score in self.scores.values())
            for when in ("before", "after")
        )
        return self.adapted.best > 0 and after < before


def make(
    base: Bundle,
    speech: Speech,
    work: Path,
    *,
    name: str,
    options: Adaptation | None = None,
    tell: Tell = lambda text: None,
) -> Outcome:
    """Adapt ``base`` and write the candidate into the folder ``work``, which must be empty.

    Raises UsageError where too little of the speech fits its text.
    """
    started = time.monotonic()
    personal.check_base(base)
    tell("finding when each sound was said")
    practice, held = prepare(base, speech, work)
    first: list[float] = []

    def on_round(number: int, loss: float) -> None:
        first.append(loss)
        tell(
            f"round {number}: {loss:.3f} nats a unit on held-back speech, at best {min(first):.3f}"
        )

    adapted = adapt(base, practice.corpus, held.corpus, options=options, on_round=on_round)
    tell("writing the model")
    some = thin_out([u.path for u in practice.utterances], CALIBRATED_ON)
    clips = read_speech(some, base.config.step_samples)
    candidate = personal.write(adapted.model, base, work / name, speech=clips)
    scores = {}
    for decoder in decoders(base):
        tell(f"measuring, decoder {decoder}")
        pair = (errors(path, held.utterances, decoder) for path in (base.path, candidate))
        scores[decoder] = Score(*pair)
    seconds = time.monotonic() - started
    outcome = Outcome(candidate, adapted, speech, scores, seconds)
    personal.note(candidate, personal_facts(outcome), results(outcome, held.utterances))
    return outcome


def personal_facts(outcome: Outcome) -> dict[str, Any]:
    """What bundle.toml tells of how a personal model came about."""
    return {
        "created": date.today().isoformat(),
        "speech_s": round(outcome.speech.duration_s, 1),
        "rounds": outcome.adapted.best,
        "seconds": round(outcome.seconds, 1),
    }


def results(outcome: Outcome, held: Sequence[Utterance]) -> dict[str, Any]:
    """The results that bundle.toml states, by the name of what was measured."""
    return {
        f"held_back_{decoder}": {
            "wer": round(score.after.rate, 4),
            "wer_before": round(score.before.rate, 4),
            "utterances": len(held),
        }
        for decoder, score in outcome.scores.items()
    }


@dataclass(frozen=True, slots=True)
class Share:
    """Some of the utterances, as lists and as training takes them."""

    utterances: list[Utterance]
    corpus: Corpus

    @property
    def duration_s(self) -> float:
        return sum(u.duration_s for u in self.utterances)


def prepare(base: Bundle, speech: Speech, work: Path) -> tuple[Share, Share]:
    """Align, leave out what does not fit its text, and hold some back."""
    lexicon = base.path / LEXICON_FILE
    known = read_lexicon(lexicon) if lexicon.is_file() else read_cmudict()
    corpora = {u.corpus for u in speech.utterances}
    assert len(corpora) == 1, "one folder"
    (corpus,) = corpora
    report = align_corpus(
        base.path,
        speech.utterances,
        work / f"{corpus}.jsonl.gz",
        pronouncer=Pronouncer(known, letter_reader()),
    )
    fits = [u for u in speech.utterances if report.scores.get(u.id, -1e9) >= LEAST_SCORE]
    speech.keep(fits, MISFIT)
    gathering.check_enough(speech, fits[0].path.parent if fits else work)
    aligned = read_alignments(work, corpora)
    share = partial(_share, work=work, aligned=aligned)
    practice, held = gathering.split(speech.utterances)
    return share(practice), share(held)


def _share(utterances: list[Utterance], *, work: Path, aligned: dict[Any, Any]) -> Share:
    return Share(utterances, Corpus(utterances, AudioCache(work / "audio", utterances), aligned))


def decoders(base: Bundle) -> list[DecoderName]:
    return ["greedy", "graph"] if base.has_language_model else ["greedy"]


def errors(model: Path, utterances: Sequence[Utterance], decoder: DecoderName) -> Errors:
    """Errors of a model on utterances, streamed as the daemon does."""
    task = Task(model, device="cpu", decoder=decoder)
    return sum((result.errors for result in decode_all(task, utterances)), Errors())
