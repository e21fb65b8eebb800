import os
import subprocess

import pytest

from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.clipboard import Copier, find_clipboard
from streamasr.edge.dictation.ways import open_typist
from tests.desktop import Terminal, missing

pytestmark = pytest.mark.skipif(bool(missing("xclip")), reason=missing("xclip"))


def clipboard() -> str:
    return subprocess.run(
        ["xclip", "-o", "-selection", "clipboard"], capture_output=True, text=True
    ).stdout


def test_what_is_pasted_arrives_and_the_clipboard_is_put_back(terminal: Terminal) -> None:
    found = find_clipboard(os.environ)
    assert found is not None
    found.write(["kept", "kept too"])
    paster = open_typist("paste", os.environ)
    assert not paster.corrects
    paster.write(Edit(0, "Grüße, жук 🙂 and more"))
    assert terminal.holds("Grüße, жук 🙂 and more")
    assert found.read() == ["kept", "kept too"]
    paster.write(Edit(4, "less"))
    assert terminal.holds("Grüße, жук 🙂 and less")
    paster.close()


def test_the_copier_leaves_the_whole_text_on_the_clipboard(display: str) -> None:
    found = find_clipboard(os.environ)
    assert found is not None
    copier = Copier(found)
    copier.write(Edit(0, "one two"))
    copier.write(Edit(3, "three"))
    assert clipboard() == "one three"


def test_a_session_without_a_display_has_no_clipboard() -> None:
    assert find_clipboard({}) is None
