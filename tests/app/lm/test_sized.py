from __future__ import annotations

from pathlib import Path

from streamasr.app.lm.build import LanguageOptions, learn_language
from streamasr.app.lm.sized import write_sized
from tests.conftest import CLIP_TEXTS, MORE_SENTENCES

OPTIONS = LanguageOptions(guess=False)


def test_a_size_is_met_from_below_by_pruning_more(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    lines = [*CLIP_TEXTS.values(), *MORE_SENTENCES]
    text.write_text("\n".join(lines * 3) + "\n")
    language = learn_language([text], options=OPTIONS)
    whole = language.write(tmp_path / "whole", 0.0)
    wanted = 0.9 * whole.bytes / 1e6
    pruned = write_sized(language, tmp_path / "pruned", size_mb=wanted, threshold=1e-8)
    assert pruned.words == whole.words
    assert sum(pruned.sizes) < sum(whole.sizes)
    assert pruned.bytes / 1e6 <= wanted
