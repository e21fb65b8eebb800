import pytest

from streamasr.app.table import print_table, table


def test_columns_line_up_and_lines_have_no_trailing_space() -> None:
    text = table(("", "N", "NAME"), [("*", "1", "usb"), ("", "12", "日本")], right={1})
    assert text.splitlines() == ["    N  NAME", "*   1  usb", "   12  日本"]


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [])
    assert capsys.readouterr().out == "A  B\n"
