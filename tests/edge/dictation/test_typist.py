import io
import sys

import pytest

from streamasr.core.dictation.edits import Edit
from streamasr.edge.dictation.typist import (
    Call,
    Printer,
    ProgramTypist,
    call,
    wtype_typist,
    xdotool_typist,
)
from streamasr.errors import DeviceError


def calls(typist: ProgramTypist, edit: Edit, *, soft: bool = False) -> list[tuple[list[str], str]]:
    return [(list(one.args), one.stdin) for one in typist._calls(edit, soft)]


def test_text_goes_by_standard_input_where_no_other_user_sees_it() -> None:
    for typist in (wtype_typist(), xdotool_typist()):
        made = calls(typist, Edit(2, "secret -k words\nmore"), soft=True)
        assert all("secret" not in arg for args, _ in made for arg in args)
        assert "secret -k words" in "".join(stdin for _, stdin in made)


def test_wtype_erases_and_types_in_one_call_a_line() -> None:
    first, second = calls(wtype_typist(), Edit(2, "a\nb"))
    assert (first[0].count("BackSpace"), first[0][-1], first[1]) == (2, "-", "a")
    assert (second[0].count("Return"), second[0][-1], second[1]) == (1, "-", "b")
    ((args, stdin),) = calls(wtype_typist(), Edit(0, "\n"), soft=True)
    assert "-M shift -k Return -m shift" in " ".join(args)
    assert (args[-1], stdin) != ("-", "")


def test_what_a_program_complains_about_is_told() -> None:
    fails = "import sys; sys.exit('no keyboard here')"
    with pytest.raises(DeviceError, match="no keyboard here"):
        call(Call([sys.executable, "-c", fails]))
    with pytest.raises(DeviceError, match="no-such-program is not installed"):
        call(Call(["no-such-program"]))


def test_the_printer_writes_what_is_new() -> None:
    out = io.StringIO()
    printer = Printer(out)
    assert not printer.corrects
    printer.write(Edit(0, "one"))
    printer.write(Edit(0, " two"))
    printer.close()
    assert out.getvalue() == "one two\n"
