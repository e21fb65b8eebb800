"""How true are the times and the confidences of words?

    python bench/words.py DATA/speech/librispeech_train_clean_5 DATA/align --split dev [--save]

Each word of a final that the reference has too, in the same place, is held against the
forced alignment: start and end, absolute. Confidences are held against whether the word is
right: expected calibration error over ten equal bins (Guo et al. 2017).
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import typer

from bench.report import finish
from streamasr.app.alignment import read_alignments
from streamasr.app.manifest import read_manifest, thin_out
from streamasr.app.mixing import read_clip
from streamasr.app.text import normalise
from streamasr.core.events import Final, Word
from streamasr.core.features import HOP
from streamasr.core.options import decoder_name, decoder_used
from streamasr.core.recognizer import Recognizer
from streamasr.edge import bundle
from streamasr.edge.engines import open_engine

BINS = 10
MS = 1000 / 16_000


def hear(recognizer: Recognizer, path: Path) -> list[Word]:
    with recognizer.stream() as stream:
        events = stream.accept(read_clip(path)) + stream.finish()
    return [word for event in events if isinstance(event, Final) for word in event.words]


def calibration_error(confidences: np.ndarray, right: np.ndarray) -> float:
    """Mean distance of confidence and accuracy over bins, weighted by their words."""
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidences[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(sum(gaps))


def main(
    folder: Path,
    align: Path,
    split: str | None = None,
    limit: int | None = None,
    model: str | None = None,
    decoder: str = "auto",
    save: bool = False,
) -> None:
    path = bundle.find(model)
    engine = open_engine(path, device="cpu", decoder=decoder_name(decoder))
    recognizer = Recognizer(engine)
    alignments = read_alignments(align, [folder.name])
    starts, ends, confidences, right = [], [], [], []
    for utterance in thin_out(
        [u for u in read_manifest(folder) if split in (None, u.split)], limit
    ):
        words = hear(recognizer, utterance.path)
        said = normalise(utterance.text).split()
        matcher = difflib.SequenceMatcher(None, said, [w.text for w in words], autojunk=False)
        blocks = matcher.get_matching_blocks()
        hits = {b.b + i: b.a + i for b in blocks for i in range(b.size)}
        confidences += [word.confidence for word in words]
        right += [at in hits for at in range(len(words))]
        aligned = alignments.get((folder.name, utterance.id))
        if aligned is None or not aligned.agrees_with(normalise(utterance.text)):
            continue
        for at, true in hits.items():
            starts.append((words[at].start - aligned.words[true].start * HOP) * MS)
            ends.append((words[at].end - aligned.words[true].end * HOP) * MS)
    known = np.array(confidences), np.array(right, float)
    finish(
        "words",
        {
            "model": path.name,
            "decoder": decoder_used(engine.facts, "auto"),
            "corpus": folder.name,
            "words": len(confidences),
            "aligned_words": len(starts),
            "start_error_ms_p50": round(float(np.median(np.abs(starts))), 1),
            "end_error_ms_p50": round(float(np.median(np.abs(ends))), 1),
            "calibration_error": round(calibration_error(*known), 4),
            "accuracy": round(float(known[1].mean()), 4),
        },
        save=save,
    )


if __name__ == "__main__":
    typer.run(main)
