"""When an utterance ends although the gate stays open: an OR of small AND-rules.

The gate ends most utterances; these rules are for those where it cannot, because the
room is loud or there is no gate. Evidence is counted in samples of decoded audio, so
the same audio always ends at the same place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streamasr.core.events import EndReason
from streamasr.core.features import SAMPLE_RATE

MS = SAMPLE_RATE // 1000

Outlook = Literal["open", "unfinished", "over"]
"""Whether more may follow what was said, must, or cannot. Only a closed grammar knows; all else
is open."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the open utterance after a step."""

    length: int
    """Samples decoded since the utterance began, pre-roll included."""
    blank: int
    """Samples of blank emissions since the last token, or since the start."""
    has_text: bool
    outlook: Outlook = "open"


@dataclass(frozen=True, slots=True)
class EndpointRule:
    """Fires when all of its conditions hold; zero, False and None ask for nothing."""

    reason: EndReason
    min_length: int = 0
    min_blank: int = 0
    needs_text: bool = False
    outlook: Outlook | None = None

    def holds(self, evidence: Evidence) -> bool:
        return (
            evidence.length >= self.min_length
            and evidence.blank >= self.min_blank
            and (evidence.has_text or not self.needs_text)
            and self.outlook in (None, evidence.outlook)
        )


def endpoint_rules(
    *, trailing_blank: Mapping[Outlook, int], max_length: int
) -> tuple[EndpointRule, ...]:
    """The rules of a stream, first match wins; all limits in samples.

    Near the length limit an ever shorter quiet moment will do, since a cut inside a word
    costs that word.
    """
    return (
        *(
            EndpointRule("trailing_blank", min_blank=blank, needs_text=True, outlook=outlook)
            for outlook, blank in trailing_blank.items()
        ),
        EndpointRule("length", min_length=max_length * 80 // 100, min_blank=400 * MS),
        EndpointRule("length", min_length=max_length * 90 // 100, min_blank=200 * MS),
        EndpointRule("length", min_length=max_length),
    )


def endpoint(rules: tuple[EndpointRule, ...], evidence: Evidence) -> EndReason | None:
    """The reason of the first rule that holds, or None."""
    for rule in rules:
        if rule.holds(evidence):
            return rule.reason
    return None
