import gzip
import json
from pathlib import Path

import numpy as np

from streamasr.app.alignment import phone_targets, read_alignments
from streamasr.core.phones import PHONE_IDS, PHONES

ENTRY = {
    "id": "u1",
    "words": [["<sil>", 0, 10], ["to(2)", 10, 8],
              ["<sil>", 18, 40], ["go", 58, 12], ["</s>", 70, 5]],
    "phones": [["SIL", 0, 10], ["T", 10, 4], ["AH", 14, 4],
               ["SIL", 18, 40], ["G", 58, 6], ["OW", 64, 6]],
}  # fmt: skip


def test_words_lose_variants_and_silences(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "c.jsonl.gz", "wt") as out:
        out.write(json.dumps(ENTRY) + "\n")
    found = read_alignments(tmp_path, ["c", "absent"])["c", "u1"]
    assert [(w.text, w.start, w.end) for w in found.words] == [("to", 10, 18), ("go", 58, 70)]
    assert found.agrees_with("to go")
    assert not found.agrees_with("too go")
    assert found.pauses(30) == [0]
    assert found.pauses(41) == []
    assert [PHONES[p] for p in found.phones[[0, 10, 14, 20, 60, 69]]] == [
        "SIL", "T", "AH", "SIL", "G", "OW",
    ]  # fmt: skip


def test_there_are_forty_phones_with_silence_first() -> None:
    assert len(PHONE_IDS) == 40
    assert PHONES[0] == "SIL"


def test_targets_are_sampled_in_the_middle_and_delayed() -> None:
    frames = np.arange(1, 13, dtype=np.int8)  # frame t holds t + 1
    now = phone_targets(frames, emissions=3, frames_per_emission=4, delay=0)
    assert now.tolist() == [3, 7, 11]
    late = phone_targets(frames, emissions=4, frames_per_emission=4, delay=4)
    assert late.tolist() == [0, 3, 7, 11]


def test_targets_past_the_end_are_silence() -> None:
    frames = np.full(4, 9, np.int8)
    assert phone_targets(frames, emissions=3, frames_per_emission=4, delay=0).tolist() == [9, 0, 0]
    nothing = phone_targets(frames[:0], emissions=2, frames_per_emission=4, delay=0)
    assert nothing.tolist() == [0, 0]
