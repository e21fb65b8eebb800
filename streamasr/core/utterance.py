"""One utterance while it is open: emissions in, growing text and timed words out.

How emissions become words is its decoder's business; here they get their positions. An
utterance is as sure as its words on average.
"""

from __future__ import annotations

from streamasr.core.decoder import DecodedWord, Decoder
from streamasr.core.endpoint import Outlook
from streamasr.core.events import (
    Alternative,
    EndReason,
    Event,
    Final,
    Partial,
    SpeechEnded,
    Word,
)
from streamasr.core.model import Emissions
from streamasr.core.presence import Presence


class Utterance:
    """What is known of an utterance; positions are those of its stream."""

    def __init__(
        self,
        decoder: Decoder,
        emission_samples: int,
        index: int,
        *,
        start: int,
        origin: int,
        presence: Presence | None = None,
    ) -> None:
        self.index = index
        self.start = start
        """The first speech."""
        self.origin = origin
        """The first sample decoded; the pre-roll lies between the two."""
        self.heard = origin
        """Position up to which audio went into steps."""
        self.decoded = origin
        """Position up to which the model answered."""
        self.steps = 0
        """Steps made."""
        self._decoder = decoder
        self._presence = presence or Presence(0.0)
        self._hop = emission_samples

    @property
    def text(self) -> str:
        """What may be shown: nothing before it is sure that somebody speaks."""
        return self._decoder.text if self._presence.is_sure else ""

    @property
    def has_words(self) -> bool:
        """Whether words came out, shown or not."""
        return bool(self._decoder.text)

    @property
    def quiet(self) -> int:
        """Samples without a word since the last one, or since the origin."""
        return self._decoder.quiet * self._hop

    @property
    def outlook(self) -> Outlook:
        """Whether more may follow, must, or cannot."""
        return self._decoder.outlook

    def push(self, emissions: Emissions) -> bool:
        """Take the answer to a step; says whether the text grew."""
        was_hidden = not self._presence.is_sure
        self._presence.push(emissions.phones)
        grew = self._decoder.push(emissions)
        return bool(self.text) and (grew or was_hidden)

    def words(self) -> tuple[Word, ...]:
        """The words so far, in order; the last may still grow."""
        return tuple(self._word(word) for word in self._decoder.words())

    def partial(self, *, with_words: bool) -> Partial:
        """The text as it stands, which must not be empty; to place its words takes longer."""
        words = self.words() if with_words else ()
        return Partial(
            self.index,
            self.text,
            start=min(self.start, words[0].start) if words else self.start,
            end=self.decoded,
            words=words,
        )

    def conclude(
        self, reason: EndReason, at: int, *, with_words: bool, alternatives: int = 0
    ) -> list[Event]:
        """The last events: a Final if there is text and speech, and SpeechEnded, at ``at``."""
        self._decoder.finish()
        words = self.words()
        self._presence.finish(len(words))
        at = max(at, self.start)
        ended = SpeechEnded(self.index, at)
        if not words or not self._presence.is_sure:
            return [ended]
        confidence = sum(word.confidence for word in words) / len(words)
        others = self._decoder.alternatives(alternatives) if alternatives else ()
        final = Final(
            self.index,
            self.text,
            start=min(self.start, words[0].start),
            end=max(at, words[-1].end),
            words=words if with_words else (),
            confidence=confidence,
            reason=reason,
            alternatives=tuple(
                Alternative(
                    " ".join(word.text for word in other.words),
                    confidence * other.likelihood,
                    tuple(map(self._word, other.words)) if with_words else (),
                )
                for other in others
            ),
        )
        return [final, ended]

    def _word(self, word: DecodedWord) -> Word:
        """No word lies beyond the audio, although some come out of the silence after it."""
        start = self.origin + round(word.start * self._hop)
        end = self.origin + round(word.end * self._hop)
        start = max(min(start, self.heard - self._hop), self.origin)
        return Word(word.text, start, max(min(end, self.heard), start + 1), word.confidence)
