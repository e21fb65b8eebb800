import sys
from pathlib import Path

import pytest

from streamasr.app.facts import read_facts, write_facts
from streamasr.errors import MissingExtra


def test_facts_survive_the_round_trip(tmp_path: Path) -> None:
    facts = {"name": "a", "results": {"b": {"wer": 0.25}}}
    write_facts(tmp_path, facts)
    assert read_facts(tmp_path) == facts
    assert [file.name for file in tmp_path.iterdir()] == ["bundle.toml"]


def test_without_the_writer_its_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tomli_w", None)
    with pytest.raises(MissingExtra, match="train"):
        write_facts(tmp_path, {})
