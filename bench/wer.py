"""How many words are right, beside a peer on the same audio in the same run?

    python bench/wer.py DATA/speech/librispeech_test_clean_a [--limit N] [--save]

Ours streams through the shipped int8 path, gate and endpointing included. The peer is
pocketsphinx from PyPI with the English model that it ships (trigram language model,
134 000 words), fed the same samples whole; it is the one recogniser that installs from
PyPI with its model inside. Texts are normalised alike before they are compared.
``--minutes 10`` adds ten minutes of utterances joined into one stream.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.report import finish
from streamasr.app.evaluate import Task, decode, decode_all, summarise
from streamasr.app.manifest import Utterance, read_manifest, thin_out
from streamasr.app.mixing import read_clip
from streamasr.app.text import normalise
from streamasr.app.wer import Errors, bootstrap_interval, count_errors
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Recognizer
from streamasr.edge import bundle
from streamasr.edge.engines import open_engine


def pocketsphinx(utterances: list[Utterance]) -> dict[str, object]:
    """Decode with pocketsphinx's own defaults."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16000, loglevel="FATAL")
    errors, compute_s, audio_s = [], 0.0, 0.0
    for utterance in utterances:
        samples = (np.clip(read_clip(utterance.path), -1, 1) * 32767).astype(np.int16)
        started = time.perf_counter()
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        compute_s += time.perf_counter() - started
        audio_s += len(samples) / 16000
        text = normalise(hypothesis.hypstr if hypothesis else "")
        errors.append(count_errors(normalise(utterance.text).split(), text.split()))
    low, high = bootstrap_interval(errors)
    return {
        "wer": round(sum(errors, Errors()).rate, 4),
        "wer_low": round(low, 4),
        "wer_high": round(high, 4),
        "rtf": round(compute_s / audio_s, 4),
    }


def continuous(model: Path, utterances: list[Utterance], minutes: float) -> dict[str, object]:
    """One stream of utterances joined without a break, beside the same ones cut."""
    joined: list[Utterance] = []
    while utterances and sum(u.duration_s for u in joined) < minutes * 60:
        joined.append(utterances[len(joined) % len(utterances)])
    recognizer = Recognizer(open_engine(model, device="cpu"))
    audio = np.concatenate([read_clip(u.path) for u in joined])
    text, _ = decode(recognizer, audio, StreamOptions())
    reference = " ".join(normalise(u.text) for u in joined)
    whole = count_errors(reference.split(), normalise(text).split())
    cut = sum((r.errors for r in decode_all(Task(model), joined)), Errors())
    return {
        "minutes": round(len(audio) / 16000 / 60, 1),
        "wer": round(whole.rate, 4),
        "wer_cut": round(cut.rate, 4),
    }


def main(
    folder: Path,
    split: str | None = None,
    limit: int | None = None,
    model: str | None = None,
    peer: bool = True,
    jobs: int = 1,
    minutes: float = 0.0,
    save: bool = False,
) -> None:
    utterances = [u for u in read_manifest(folder) if split in (None, u.split)]
    utterances = thin_out(utterances, limit)
    path = bundle.find(model)
    ours = summarise(list(decode_all(Task(path), utterances, jobs=jobs)), path.name)
    rows = {f"streamasr {path.name}": ours}
    if peer:
        rows["pocketsphinx"] = pocketsphinx(utterances)
    print(f"{'recogniser':<24} {'WER':>7} {'95 %':>18} {'RTF':>8}")
    for name, row in rows.items():
        interval = f"{row['wer_low']:.2%} .. {row['wer_high']:.2%}"
        print(f"{name:<24} {row['wer']:>7.2%} {interval:>18} {row['rtf']:>8.4f}")
    figures = {"corpus": folder.name, "utterances": len(utterances), **rows}
    if minutes:
        figures["continuous"] = one = continuous(path, utterances, minutes)
        print(
            f"{one['minutes']} minutes as one stream: {one['wer']:.2%}, cut: {one['wer_cut']:.2%}"
        )
    finish("wer", figures, save=save)


if __name__ == "__main__":
    typer.run(main)
