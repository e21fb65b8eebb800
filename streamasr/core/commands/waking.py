"""An utterance that may begin with the wake phrase: asleep until it was said, then a command.

    decoder = WakingDecoder(spotter, lambda: CommandDecoder(model, network), is_awake=False)

Asleep, only the phrase is looked for, which costs next to nothing, and no text comes out.
Without a spotter somebody else listens, to the sound itself, and calls `wake`. What follows the
phrase goes to a decoder of its own; ``woke_at`` tells where that begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from streamasr.core.commands.decoder import CommandDecoder
from streamasr.core.commands.wake import Spotter
from streamasr.core.decoder import Alternative, DecodedWord
from streamasr.core.endpoint import Outlook
from streamasr.core.model import Emissions


class WakingDecoder:
    """Decodes one utterance; see `core.decoder.Decoder`."""

    def __init__(
        self, spotter: Spotter | None, new_decoder: Callable[[], CommandDecoder], *, is_awake: bool
    ) -> None:
        self._spotter = spotter
        self._new_decoder = new_decoder
        self._emissions = 0
        self._inner = new_decoder() if is_awake else None
        self.woke_at: int | None = None
        """Emissions of the utterance up to the end of the wake phrase, once it was said."""
        self.score = 0.0
        """How well it was said then."""
        if spotter is not None:
            spotter.reset()

    @property
    def text(self) -> str:
        return self._inner.text if self._inner is not None else ""

    @property
    def quiet(self) -> int:
        return self._inner.quiet if self._inner is not None else 0

    @property
    def outlook(self) -> Outlook:
        return self._inner.outlook if self._inner is not None else "open"

    def push(self, emissions: Emissions) -> bool:
        phones = emissions.phones
        assert phones is not None, "commands are only heard by a model with a phone head"
        self._emissions += len(phones)
        if self._spotter is not None and self._spotter.push(phones):
            self.wake(self._spotter.score)
            self._spotter.reset()
            return False
        return self._inner.push(emissions) if self._inner is not None else False

    def wake(self, score: float) -> None:
        """The phrase has just been said: what comes next is a command, whatever came before."""
        self.woke_at, self.score = self._emissions, score
        self._inner = self._new_decoder()

    def finish(self) -> None:
        if self._inner is not None:
            self._inner.finish()

    def alternatives(self, most: int) -> tuple[Alternative, ...]:
        """None."""
        return ()

    def words(self) -> tuple[DecodedWord, ...]:
        if self._inner is None:
            return ()
        offset = self.woke_at or 0
        return tuple(
            replace(word, start=word.start + offset, end=word.end + offset)
            for word in self._inner.words()
        )
