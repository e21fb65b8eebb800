"""Plain tables that a person reads and `cut` does too."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from streamasr.app.live import cells


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()
) -> str:
    """Columns of equal width, two spaces apart; the columns in ``right`` end flush.

    >>> print(table(("N", "NAME"), [("1", "usb"), ("12", "hdmi")], right={0}))
     N  NAME
     1  usb
    12  hdmi
    """
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(cells(line[i]) for line in lines) for i in range(len(head))]

    def padded(text: str, column: int) -> str:
        space = " " * (widths[column] - cells(text))
        return space + text if column in right else text + space

    return "\n".join(
        "  ".join(padded(text, i) for i, text in enumerate(line)).rstrip() for line in lines
    )


def print_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()
) -> None:
    """Write a table to standard output."""
    print(table(head, rows, right=right))
