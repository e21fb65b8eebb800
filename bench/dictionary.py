"""What does a personal dictionary bring to the graph decoder, and what does it cost?

    python bench/dictionary.py DATA/speech/librispeech_test_clean_a \
        --text DATA/text/librispeech_train_clean_100.txt.gz [--save]

Rare words of utterances, those that a text has a few times at most, are taken for the
dictionary of `streamasr dictate`, all of them at once. Utterances with and without them are
streamed int8 with the graph, without a dictionary and with different boosts: how many of
these words are heard, how many are heard where nobody said them, the word error rate of either
half, and the real-time factor.
"""

from __future__ import annotations

import gzip
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import typer

from bench.report import finish
from streamasr.app.dictation.running import expected
from streamasr.app.dictation.settings import Settings
from streamasr.app.evaluate import decode
from streamasr.app.manifest import Utterance, read_manifest, thin_out
from streamasr.app.mixing import read_clip
from streamasr.app.text import normalise
from streamasr.app.wer import Errors, count_errors
from streamasr.core.dictation.style import Style
from streamasr.core.options import StreamOptions
from streamasr.core.recognizer import Engine, Recognizer
from streamasr.edge import bundle
from streamasr.edge.engines import open_engine

SHORTEST = 5
"""Letters: shorter words are said by the way."""
BOOSTS = "4,6,8"


def rare_words(utterances: Sequence[Utterance], text: Path, most: int) -> set[str]:
    """Words of the utterances that the text has ``most`` times at most."""
    with gzip.open(text, "rt", encoding="utf-8") as lines:
        counts = Counter(word for line in lines for word in normalise(line).split())
    said = {word for u in utterances for word in normalise(u.text).split()}
    return {word for word in said if len(word) >= SHORTEST and counts[word] <= most}


def chosen(
    utterances: Sequence[Utterance], rare: set[str], count: int
) -> tuple[list[Utterance], list[Utterance]]:
    """So many utterances with rare words, and as many without, from the whole folder."""
    having = [u for u in utterances if rare & set(normalise(u.text).split())]
    names = {u.id for u in having}
    lacking = [u for u in utterances if u.id not in names]
    return thin_out(having, count), thin_out(lacking, count)


def row(
    engine: Engine, halves: Sequence[list[Utterance]], words: set[str], boost: float | None
) -> dict[str, Any]:
    """Figures of one boost; None for no dictionary."""
    hotwords, unknown = None, ()
    if boost is not None:
        style = Style(words=tuple(sorted(words)))
        hotwords, unknown = expected(Settings(style=style, boost=boost), engine)
    recognizer, options = Recognizer(engine), StreamOptions(hotwords=hotwords)
    said = heard = false = 0
    rates, audio_s, compute_s = [], 0.0, 0.0
    for utterances in halves:
        errors = Errors()
        for utterance in utterances:
            audio = read_clip(utterance.path)
            started = time.process_time()
            text, _ = decode(recognizer, audio, options)
            compute_s += time.process_time() - started
            audio_s += len(audio) / 16_000
            reference, found = normalise(utterance.text).split(), normalise(text).split()
            errors += count_errors(reference, found)
            wanted = Counter(w for w in reference if w in words)
            got = Counter(w for w in found if w in words)
            said += wanted.total()
            heard += (wanted & got).total()
            false += (got - wanted).total()
        rates.append(round(100 * errors.rate, 2))
    return {
        "boost": boost, "unknown": len(unknown), "said": said, "heard": heard, "false": false,
        "wer_with": rates[0], "wer_without": rates[1], "rtf": round(compute_s / audio_s, 4),
    }  # fmt: skip


def main(
    folder: Path,
    text: Annotated[Path, typer.Option("--text", help="What tells which words are rare.")],
    most: Annotated[int, typer.Option(help="Times that a rare word stands in the text.")] = 3,
    utterances: Annotated[int, typer.Option(help="With rare words, and as many without.")] = 40,
    boosts: str = BOOSTS,
    save: bool = False,
) -> None:
    everything = read_manifest(folder)
    halves = chosen(everything, rare_words(everything, text, most), utterances)
    rare = rare_words(halves[0], text, most)
    engine = open_engine(bundle.find(None), device="cpu", decoder="graph")
    rows = []
    for boost in (None, *map(float, boosts.split(","))):
        rows.append(row(engine, halves, rare, boost))
        print(rows[-1], flush=True)
    figures = {"utterances": [len(half) for half in halves], "words": len(rare), "rows": rows}
    finish("dictionary", figures, save=save)


if __name__ == "__main__":
    typer.run(main)
