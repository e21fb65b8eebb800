from __future__ import annotations

from pathlib import Path

from streamasr.app.lm.build import LanguageOptions
from streamasr.app.lm.sized import build_sized
from tests.conftest import CLIP_TEXTS, MORE_SENTENCES

OPTIONS = LanguageOptions(guess=False, threshold=0.0)


def test_a_size_is_met_from_below_by_pruning_more(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    lines = [*CLIP_TEXTS.values(), *MORE_SENTENCES]
    text.write_text("\n".join(lines * 3) + "\n")
    whole = build_sized([text], tmp_path / "whole", options=OPTIONS)
    wanted = 0.9 * whole.bytes / 1e6
    pruned = build_sized([text], tmp_path / "pruned", options=OPTIONS, size_mb=wanted)
    assert pruned.words == whole.words
    assert sum(pruned.sizes) < sum(whole.sizes)
    assert pruned.bytes / 1e6 <= wanted
