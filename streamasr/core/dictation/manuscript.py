"""What was dictated into one window after the other, and what should stand there now.

    manuscript = Manuscript(Style())
    manuscript.begin("window 7")
    manuscript.partial("hello wor")         # Target(text="Hello")
    manuscript.final("hello world comma")   # Target(text="Hello world,")
    manuscript.final("scratch that")        # Target(text="")

It remembers a bounded stretch: what is older is settled and can no longer be taken back.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamasr.core.dictation.casing import START, Context, compose
from streamasr.core.dictation.edits import Target
from streamasr.core.dictation.marks import Piece
from streamasr.core.dictation.numbers import unfinished_number
from streamasr.core.dictation.punctuating import Guide, settled
from streamasr.core.dictation.reading import Item, read
from streamasr.core.dictation.style import FIRST, Command, Punctuation, Style
from streamasr.core.punctuation.punctuator import Memory

KEPT_UTTERANCES = 40
KEPT_CHANGES = 20


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """What was written of one, and what is remembered of the text up to its end."""

    pieces: tuple[Piece, ...]
    memory: Memory | None


class Manuscript:
    """The text of the page that is written on; a page is a stretch into one window."""

    def __init__(self, style: Style, *, hold_back: int = 1, guide: Guide | None = None) -> None:
        """``hold_back`` words of an open utterance are not shown until more follow; ``guide``
        writes marks that nobody said, where the style wants them."""
        self.style = style
        self._guide = guide
        self.hold_back = hold_back
        self.is_stopped = False
        """Whether the last final asked to stop listening."""
        self._page = -1
        self._window = ""
        self._base = 0
        self._settled: Context = START  # what the text before the base ends with
        self._settled_memory: Memory | None = None
        self._utterances: tuple[Utterance, ...] = ()
        self._earlier: list[tuple[Utterance, ...]] = []  # before each of the last changes

    @property
    def window(self) -> str:
        return self._window

    @property
    def target(self) -> Target:
        """What should stand there, without the open utterance."""
        return self._target(())

    def begin(self, window: str, style: Style | None = None) -> None:
        """Start a page: what stands on others is no longer touched."""
        self.style = style or self.style
        self._page += 1
        self._window = window
        self._base = 0
        self._settled = START
        self._settled_memory = None
        self._utterances = ()
        self._earlier.clear()

    def change(self, style: Style, *, hold_back: int, guide: Guide | None) -> None:
        """Write on in another way; what stands there stays."""
        self.style, self.hold_back = style, hold_back
        self._guide = guide or self._guide

    def partial(self, text: str) -> Target:
        """Show the open utterance, as far as it is sure to stay."""
        words = text.split()
        sure = self._sure(words)
        items = read(sure, self.style)
        open_: list[Piece] = []
        for item in items:
            # breaks may send what was typed, and commands act for good: not before the end
            if not isinstance(item, Piece) or item.breaks_line:
                break
            open_.append(item)
        if (guide := self._wanted_guide) is not None:
            coming = words[len(sure) :]
            marked = guide.partial(open_, coming, self._memory(guide), capitals=self.style.capitals)
            return self._target(marked, is_open=True)
        return self._target(tuple(open_), is_open=True)

    def final(self, text: str) -> Target:
        """Take an utterance for good, or do what it commands."""
        self.is_stopped = False
        before = self._utterances
        current: list[Piece] = []
        items = read(text.split(), self.style)
        for item in items:
            current = self._take(item, current)
        if current:
            self._utterances = (*self._utterances, self._utterance(current))
        if Command.UNDO not in items and self._utterances != before:
            self._earlier.append(before)
            del self._earlier[:-KEPT_CHANGES]
        self._settle()
        return self.target

    @property
    def _wanted_guide(self) -> Guide | None:
        return self._guide if self.style.punctuation is Punctuation.AUTO else None

    def _memory(self, guide: Guide) -> Memory:
        last = self._utterances[-1].memory if self._utterances else self._settled_memory
        return last or guide.start

    def _utterance(self, pieces: list[Piece]) -> Utterance:
        guide = self._wanted_guide
        if guide is None:
            return Utterance(tuple(pieces), None)
        marked, memory = guide.final(pieces, self._memory(guide), capitals=self.style.capitals)
        return Utterance(marked, memory)

    def _take(self, item: Item, current: list[Piece]) -> list[Piece]:
        match item:
            case Piece():
                return [*current, item]
            case Command.SCRATCH:
                if not current:
                    self._utterances = self._utterances[:-1]
            case Command.UNDO:
                if not current and self._earlier:
                    self._utterances = self._earlier.pop()
            case _:
                self.is_stopped = True
                return current
        return []

    def _sure(self, words: list[str]) -> list[str]:
        """The words of an open utterance that may be shown."""
        words = words[: max(0, len(words) - self.hold_back)]
        if len(words) == 1 and words[0] in FIRST:
            return []
        held = self.style.unfinished(words)
        if self.style.numbers:
            held = max(held, unfinished_number(words))
        return words[: len(words) - held]

    def _target(self, open_: tuple[Piece, ...], *, is_open: bool = False) -> Target:
        pieces = [piece for utterance in self._utterances for piece in utterance.pieces]
        text, _ = self._compose([*pieces, *open_])
        return Target(self._page, self._window, self._base, text, is_open)

    def _settle(self) -> None:
        """Forget the oldest utterances, half of them at once."""
        if len(self._utterances) <= KEPT_UTTERANCES:
            return
        old = self._utterances[: KEPT_UTTERANCES // 2]
        next_ = self._utterances[len(old)].pieces[:1]  # may take the place of a guessed mark
        pieces = settled([*(p for utterance in old for p in utterance.pieces), *next_])
        text, self._settled = self._compose(pieces[: len(pieces) - len(next_)])
        self._settled_memory = old[-1].memory
        self._base += len(text)
        self._utterances = self._utterances[len(old) :]
        kept = [e[len(old) :] for e in self._earlier if e[: len(old)] == old]
        self._earlier = kept

    def _compose(self, pieces: list[Piece]) -> tuple[str, Context]:
        return compose(settled(pieces), self._settled, capitals=self.style.capitals)
