"""Finals as written text: marks and capitals, sentences running on from one final to the next.

    scribe = Scribe(punctuator)
    scribe.write(final).written         # "How are you?", where the final's text is "how are you"

What was recognised stays in ``text``; what is written stands beside it.
"""

from __future__ import annotations

from dataclasses import replace

from streamasr.core.dictation.casing import NAMES
from streamasr.core.events import Final
from streamasr.core.punctuation.punctuator import Punctuator
from streamasr.core.punctuation.tokens import NUMBER, PAUSE, WRITTEN, Case, Mark

_ENDS = (Mark.STOP, Mark.QUESTION)


class Scribe:
    """Writes the finals of one stream, in order."""

    def __init__(self, punctuator: Punctuator) -> None:
        self._punctuator = punctuator
        self._memory = punctuator.start
        self._is_start = True  # of a sentence

    def write(self, final: Final) -> Final:
        """The final with ``written`` set, of its words too.

        What ends because the audio does, or on demand, ends a sentence.
        """
        words = final.text.split()
        tokens = [NUMBER if any(c.isdigit() for c in word) else word.lower() for word in words]
        decided, self._memory = self._punctuator.read([*tokens, PAUSE], self._memory)
        marks = [each.mark for each in decided[:-1]]
        if final.reason == "finish" and marks[-1] not in _ENDS:
            marks[-1] = Mark.STOP
        written = [
            self._write(word, each.case, mark)
            for word, each, mark in zip(words, decided, marks, strict=False)
        ]
        told = final.words
        if len(told) == len(written):
            told = tuple(
                replace(word, written=form) for word, form in zip(told, written, strict=True)
            )
        return replace(final, words=told, written=" ".join(written))

    def _write(self, word: str, case: Case, mark: Mark) -> str:
        form = NAMES.get(word, word)
        if case is Case.UPPER:
            form = form.upper()
        elif case is Case.CAPITAL or self._is_start:
            form = form[:1].upper() + form[1:]
        self._is_start = mark in _ENDS
        return form + WRITTEN.get(mark, "")


def as_written(final: Final) -> Final:
    """A final whose text and words are those that are written, where it has them."""
    if not final.written:
        return final
    words = tuple(replace(word, text=word.written or word.text) for word in final.words)
    return replace(final, text=final.written, words=words)
