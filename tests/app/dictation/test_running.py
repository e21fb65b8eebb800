import os
import signal
from pathlib import Path

import pytest

from streamasr.app.dictation.running import called_on_hang_up, expected, run
from streamasr.app.dictation.settings import Settings
from streamasr.app.options import DecoderChoice, Device, open_model
from streamasr.core.dictation.style import Style
from streamasr.edge.dictation.control import Control
from streamasr.errors import UsageError
from tests.desktop import until


def test_the_personal_dictionary_is_expected_and_new_words_are_read_by_their_spelling(
    graph_bundle: Path,
) -> None:
    engine = open_model(
        str(graph_bundle), device=Device.CPU, threads=1, decoder=DecoderChoice.GRAPH
    )
    known = engine.facts.graph
    assert known is not None
    words = ("Zorkmid", "日本")
    assert known.pronounce(["zorkmid"]) == {}
    hotwords, unknown = expected(Settings(style=Style(words=words)), engine)
    assert hotwords is not None
    assert hotwords.words == ("zorkmid",)
    assert unknown == ("日本",)
    assert expected(Settings(), engine) == (None, ())


def test_without_a_graph_nothing_is_expected(plain_bundle: Path) -> None:
    engine = open_model(str(plain_bundle), device=Device.CPU, threads=1)
    assert expected(Settings(style=Style(words=("zork",))), engine) == (None, ())


def test_while_one_runs_no_other_starts_and_no_model_is_loaded(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    settings = Settings(typing="stdout", model="no-such-model")
    with (
        Control.claim(tmp_path / "streamasr"),
        pytest.raises(UsageError, match="a dictation runs already"),
    ):
        run(settings, environ=environ)


def test_a_hang_up_asks_for_the_settings_to_be_read_again() -> None:
    before = signal.getsignal(signal.SIGHUP)
    asked: list[str] = []
    with called_on_hang_up(lambda: asked.append("again")):
        os.kill(os.getpid(), signal.SIGHUP)
        until(lambda: asked == ["again"], "nobody is asked")
    assert signal.getsignal(signal.SIGHUP) == before
