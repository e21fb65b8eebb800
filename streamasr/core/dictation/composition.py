"""Text that may still change is shown as open, what is settled is handed over: an input method.

    composition = Composition()
    composition.write(Edit(0, "two see"))       # [Show("two see")]
    composition.write(Edit(3, "cities"))        # [Show("two cities")]
    composition.settle()                        # [Show(""), Commit("two cities")]
    composition.write(Edit(1, ""))              # [Erase(1)]

Open text is replaced whole, with no key pressed; only what was committed takes backspaces.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamasr.core.dictation.edits import Edit


@dataclass(frozen=True, slots=True)
class Show:
    """Let the open text be this."""

    text: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Put this before the cursor, for good."""

    text: str


@dataclass(frozen=True, slots=True)
class Erase:
    """Take characters away before the cursor."""

    count: int


@dataclass(frozen=True, slots=True)
class Break:
    """Press Return, or Shift+Return where it is soft."""

    soft: bool


Act = Show | Commit | Erase | Break


class Composition:
    """What is open in one window."""

    def __init__(self) -> None:
        self._open = ""

    @property
    def is_open(self) -> bool:
        return bool(self._open)

    def write(self, edit: Edit, *, soft_breaks: bool = False) -> list[Act]:
        """Erase from the end, open text first, then add open text; line breaks settle it."""
        acts: list[Act] = []
        before, beyond = self._open, edit.erase - len(self._open)
        self._open = self._open[: max(0, len(self._open) - edit.erase)]
        if beyond > 0:
            acts += [Show("")] * bool(before) + [Erase(beyond)]
            before = ""
        *lines, rest = (self._open + edit.text).split("\n")
        for line in lines:
            acts += [Show("")] * bool(before) + [Commit(line)] * bool(line) + [Break(soft_breaks)]
            before = ""
        self._open = rest
        return [*acts, Show(rest)] if rest != before else acts

    def settle(self) -> list[Act]:
        """Commit what is open."""
        text, self._open = self._open, ""
        return [Show(""), Commit(text)] if text else []

    def committed(self) -> None:
        """The program took over what was open, as it does when it loses the focus."""
        self._open = ""
