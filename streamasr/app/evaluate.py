"""Measure a model on a folder of speech, through the same streaming path as the daemon.

Each utterance is fed in steps as if it were live; nothing is decoded whole. With
alignments of the words, the emission delay is measured too: how long after a word's end
the audio had run when the last letter of that word came out.
"""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamasr.app.alignment import read_alignments
from streamasr.app.facts import read_facts, write_facts
from streamasr.app.manifest import Utterance
from streamasr.app.mixing import read_clip
from streamasr.app.surroundings import Surroundings
from streamasr.app.text import normalise
from streamasr.app.wer import Errors, bootstrap_interval, count_errors
from streamasr.core.events import Final, Partial
from streamasr.core.features import HOP, SAMPLE_RATE
from streamasr.core.hotwords import HotWord, heat_known
from streamasr.core.options import DecoderName, StreamOptions
from streamasr.core.recognizer import Recognizer
from streamasr.edge.bundle import load
from streamasr.edge.engines import open_engine
from streamasr.edge.lm.compile import load_graph

Floats = NDArray[np.float32]
BLOCK_S = 0.08


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker needs to know."""

    model: Path
    device: str = "auto"
    engine: str = "auto"
    decoder: DecoderName = "auto"
    options: StreamOptions = field(default_factory=StreamOptions)
    hotwords: tuple[HotWord, ...] = ()
    surroundings: Surroundings = field(default_factory=Surroundings)

    @property
    def decoder_used(self) -> DecoderName:
        """What "auto" means for the model."""
        return load(self.model).resolve_decoder(self.decoder)

    def condition(self, corpus: str) -> str:
        """The name of what is measured on a corpus."""
        hot = "_hotwords" if self.hotwords else ""
        return f"{corpus}_{self.decoder_used}{self.surroundings.name}{hot}"


@dataclass(frozen=True, slots=True)
class Decoded:
    """One utterance's outcome."""

    utterance: Utterance
    reference: str
    hypothesis: str
    compute_s: float
    emitted_s: tuple[float, ...]
    """For each word of the hypothesis, how far the audio had run when it was complete."""

    @property
    def errors(self) -> Errors:
        return count_errors(self.reference.split(), self.hypothesis.split())

    @property
    def character_errors(self) -> Errors:
        return count_errors(self.reference, self.hypothesis)


def decode(
    recognizer: Recognizer, samples: Floats, options: StreamOptions
) -> tuple[str, list[float]]:
    """Stream a clip; returns its text and when each word was complete, in seconds."""
    emitted: list[float] = []
    words: list[str] = []
    done = 0  # words of finished utterances

    def note(text: str, at_s: float) -> None:
        told = text.split()
        del words[done + len(told) :], emitted[done + len(told) :]
        for index, word in enumerate(told, start=done):
            if index == len(words):
                words.append(word)
                emitted.append(at_s)
            elif words[index] != word:
                words[index], emitted[index] = word, at_s

    block = round(BLOCK_S * SAMPLE_RATE)
    with recognizer.stream(options) as stream:
        for start in range(0, len(samples) + 1, block):
            piece = samples[start : start + block]
            last = start + block > len(samples)
            events = stream.accept(piece) + (stream.finish() if last else [])
            for event in events:
                if isinstance(event, Partial | Final):
                    note(event.text, stream.position / SAMPLE_RATE)
                if isinstance(event, Final):
                    done = len(words)
    return " ".join(words), emitted


def decode_all(task: Task, utterances: Sequence[Utterance], *, jobs: int = 1) -> Iterator[Decoded]:
    """Decode in order; ``jobs`` processes share the work."""
    if jobs > 1 and task.decoder_used == "graph":
        load_graph(load(task.model))  # compiled here, or else by each of them
    shares = [list(utterances[i::jobs]) for i in range(jobs)]
    if jobs == 1:
        yield from _decode_share(task, shares[0])
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_decode_list, task, share) for share in shares]
        results = [future.result() for future in futures]
    for index in range(len(utterances)):
        yield results[index % jobs][index // jobs]


def _decode_list(task: Task, utterances: list[Utterance]) -> list[Decoded]:
    return list(_decode_share(task, utterances))


def _decode_share(task: Task, utterances: list[Utterance]) -> Iterator[Decoded]:
    engine = open_engine(task.model, device=task.device, kind=task.engine, decoder=task.decoder)
    recognizer = Recognizer(engine)
    hot = heat_known(engine.facts.graph, task.hotwords)
    options = replace(task.options, hotwords=hot) if hot else task.options
    place = task.surroundings.open()
    for utterance in utterances:
        samples = place.put(read_clip(utterance.path), utterance.id)
        started = time.perf_counter()
        text, emitted = decode(recognizer, samples, options)
        compute_s = time.perf_counter() - started
        reference = normalise(utterance.text)
        yield Decoded(utterance, reference, normalise(text), compute_s, tuple(emitted))


def emission_delays_ms(decoded: Decoded, ends_s: Sequence[float]) -> list[float]:
    """Delays of the words that were recognised; ``ends_s`` are the reference's word ends.

    Empty where the alignment has other words than the reference, or the hypothesis's
    words are not those that were timed.
    """
    reference, heard = decoded.reference.split(), decoded.hypothesis.split()
    if len(ends_s) != len(reference) or len(decoded.emitted_s) != len(heard):
        return []
    matcher = difflib.SequenceMatcher(None, reference, heard, autojunk=False)
    return [
        1000.0 * (decoded.emitted_s[block.b + i] - ends_s[block.a + i])
        for block in matcher.get_matching_blocks()
        for i in range(block.size)
    ]


def measure_delays_ms(results: Sequence[Decoded], alignments: Path) -> list[float]:
    """Emission delays against a folder of <corpus>.jsonl.gz alignments."""
    aligned = read_alignments(alignments, {r.utterance.corpus for r in results})
    delays: list[float] = []
    for r in results:
        alignment = aligned.get((r.utterance.corpus, r.utterance.id))
        if alignment is not None and alignment.agrees_with(r.reference):
            delays += emission_delays_ms(r, [w.end * HOP / SAMPLE_RATE for w in alignment.words])
    return delays


def summarise(
    results: Sequence[Decoded], model: str, delays_ms: Sequence[float] = ()
) -> dict[str, Any]:
    """The JSON line that ends an evaluation."""
    words = [r.errors for r in results]
    total = sum(words, Errors())
    characters = sum((r.character_errors for r in results), Errors())
    low, high = bootstrap_interval(words)
    audio_s = sum(r.utterance.duration_s for r in results)
    compute_s = sum(r.compute_s for r in results)
    return {
        "wer": round(total.rate, 4),
        "wer_low": round(low, 4),
        "wer_high": round(high, 4),
        "cer": round(characters.rate, 4),
        "substitutions": total.substitutions,
        "deletions": total.deletions,
        "insertions": total.insertions,
        "words": total.length,
        "utterances": len(results),
        "audio_s": round(audio_s, 1),
        "rtf": round(compute_s / max(audio_s, 1e-9), 5),
        "emission_delay_ms_p50": round(float(np.median(delays_ms)), 1) if delays_ms else None,
        "model": model,
    }


def record_result(model: Path, condition: str, summary: dict[str, Any]) -> None:
    """Keep the figures of an evaluation under [results.<condition>] of bundle.toml."""
    info = read_facts(model)
    kept = ("wer", "wer_low", "wer_high", "cer", "utterances", "rtf", "emission_delay_ms_p50")
    figures = {name: summary[name] for name in kept if summary[name] is not None}
    info.setdefault("results", {})[condition] = figures
    write_facts(model, info)


def write_hypotheses(results: Sequence[Decoded], file: Path) -> None:
    """One JSON object a line: id, reference, hypothesis, errors."""
    with file.open("w", encoding="utf-8") as out:
        for r in results:
            entry = {
                "id": r.utterance.id,
                "speaker": r.utterance.speaker,
                "reference": r.reference,
                "hypothesis": r.hypothesis,
                "errors": r.errors.total,
                "words": r.errors.length,
            }
            out.write(json.dumps(entry, ensure_ascii=False) + "\n")
