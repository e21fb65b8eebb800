"""What one client has recognised: a lane, or a lane for each channel.

ears = Ears(worker, listen, settings, take)      # take(delivery, channel), on the loop
ears.hear(data); ears.flush("a"); ears.finish()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from streamasr.core.audio import AudioDoor, ChannelSplitter, PcmDecoder
from streamasr.core.dialects import CONTAINER, OGG, OPUS, Listen
from streamasr.core.graph import GraphModel
from streamasr.core.hotwords import HotWord, heat
from streamasr.core.messages import WAV, Start
from streamasr.core.model import ModelFacts
from streamasr.core.options import StreamOptions, decoder_name, decoder_used
from streamasr.core.wavstream import WavDoor
from streamasr.core.wordnet import FILLER_COST, UNKNOWN, phrase_net
from streamasr.edge.capacity import kind_of
from streamasr.edge.container import ContainerDoor
from streamasr.edge.lane import Delivery, Door, Statistics
from streamasr.edge.lm.grammar import grammar_model
from streamasr.edge.opus import BYTES_PER_S, OggOpusDoor, OpusDoor
from streamasr.edge.settings import Settings, StreamSettings
from streamasr.edge.worker import EngineThread

WAV_BYTES_PER_S = 48_000 * 2 * 2
"""The header of a WAV file comes too late to size its inbox: 48 kHz stereo is assumed."""
CONTAINER_BYTES_PER_S = 48_000
"""What a file of any kind is taken for: FLAC has as much, WAV more and all others less."""

DOORS: dict[str, Callable[[], Door]] = {
    WAV: WavDoor,
    OPUS: OpusDoor,
    OGG: OggOpusDoor,
    CONTAINER: ContainerDoor,
}
"""Encodings that tell rate and channels themselves."""
Take = Callable[[Delivery, int], None]
MOST_GRAMMARS = 16
"""That are kept."""
_GRAMMARS: WeakKeyDictionary[GraphModel, dict[tuple[str, ...], tuple[GraphModel, list[str]]]]
_GRAMMARS = WeakKeyDictionary()


class Ears:
    """The lanes of one stream, from `Listen` to the last event."""

    def __init__(
        self, worker: EngineThread, listen: Listen, settings: Settings, take: Take
    ) -> None:
        """Raises StreamasrError for what cannot be listened to."""
        facts = worker.facts
        assert facts is not None, "the door is shut until the engine is open"
        start = listen.start
        self.options, self.ignored = _options(listen, settings.stream, facts)
        self.kind = kind_of(facts, self.options)
        count = start.channels if listen.apart else 1
        self._splitter = ChannelSplitter(start.encoding, count) if count > 1 else None
        channels = 1 if listen.apart else start.channels
        self._inbox_bytes = int(settings.limits.inbox_s * _bytes_per_s(start, channels))
        self._lanes = [
            worker.lane(_door(start, channels), self.options, partial(self._take, channel=channel))
            for channel in range(count)
        ]
        self._deliver = take
        self._finished: set[int] = set()

    @property
    def is_finished(self) -> bool:
        """Everything was heard and delivered."""
        return len(self._finished) == len(self._lanes)

    @property
    def waiting(self) -> int:
        """Bytes in all inboxes."""
        return sum(lane.waiting for lane in self._lanes)

    def hear(self, data: bytes) -> None:
        """Take audio, cut anyhow."""
        if self._splitter is None:
            self._lanes[0].audio(data)
            return
        for lane, part in zip(self._lanes, self._splitter.accept(data), strict=True):
            lane.audio(part)

    def flush(self, key: object, channel: int | None = None) -> None:
        """End the open utterance of one channel, or of all."""
        for lane in self._lanes if channel is None else self._lanes[channel : channel + 1]:
            lane.flush(key)

    def mark(self, key: object) -> None:
        """Have the key delivered, by each channel, when what came before is decoded."""
        for lane in self._lanes:
            lane.mark(key)

    def clear(self) -> None:
        """Forget what is not decoded, and the open utterances."""
        for lane in self._lanes:
            lane.clear()

    def finish(self) -> None:
        """No more audio."""
        for lane in self._lanes:
            lane.finish()

    def cancel(self) -> None:
        """Drop everything."""
        for lane in self._lanes:
            lane.cancel()

    def has_room(self) -> bool:
        """Whether to read on; if not, a delivery comes when to ask again."""
        return all([lane.ask_for_room(self._inbox_bytes) for lane in self._lanes])

    def add_to(self, total: Statistics) -> None:
        """Add what became of all lanes; the worst lag is the worst of any."""
        for lane in self._lanes:
            worst = max(total.worst_lag_ms, lane.statistics.worst_lag_ms)
            for item in fields(Statistics):
                value = getattr(total, item.name) + getattr(lane.statistics, item.name)
                setattr(total, item.name, value)
            total.worst_lag_ms = worst

    def _take(self, delivery: Delivery, *, channel: int) -> None:
        if delivery.finished:
            self._finished.add(channel)
        self._deliver(delivery, channel)


def _options(
    listen: Listen, defaults: StreamSettings, facts: ModelFacts
) -> tuple[StreamOptions, tuple[str, ...]]:
    """What the client chose, else what the operator set; and what cannot be honoured."""
    start = listen.start
    ignored: list[str] = []
    decoder = decoder_name(start.decoder)
    if decoder == "graph" and facts.graph is None:
        ignored.append("decoder")
        decoder = "auto"
    decoder = decoder_used(facts, decoder)
    hotwords = start.hotwords
    if hotwords is None:
        hotwords = tuple(map(HotWord.parse, defaults.hotwords))
    hot = grammar = None
    if start.grammar and facts.graph is not None:
        grammar, unknown = _grammar(facts.graph, start.grammar)
        ignored += [f"grammar: {word}" for word in unknown]
        decoder = "graph"
    elif start.grammar:
        ignored.append("grammar")
    if hotwords and grammar is None and decoder == "graph" and facts.graph is not None:
        hot = heat(facts.graph, hotwords)
        ignored += [f"hotwords: {text}" for text in hot.unknown]
    elif start.hotwords:
        ignored.append("hotwords")
    if start.alternatives and decoder == "greedy":
        ignored.append("alternatives")
    chosen: dict[str, Any] = {}
    for name in ("endpoint_ms", "max_utterance_s", "vad", "punctuate"):
        value = getattr(start, name)
        chosen[name] = getattr(defaults, name) if value is None else value
    if chosen["punctuate"] and facts.punctuator is None:
        chosen["punctuate"] = False
        ignored.append("punctuate")
    if listen.preroll_ms is not None:
        chosen["preroll_ms"] = listen.preroll_ms
    options = StreamOptions(
        partials=start.partials,
        words=start.words,
        partial_words=listen.partial_words,
        decoder=decoder,
        hotwords=hot,
        grammar=grammar,
        alternatives=start.alternatives,
        **chosen,
    )
    return options, tuple(ignored)


def _grammar(model: GraphModel, phrases: tuple[str, ...]) -> tuple[GraphModel, list[str]]:
    """Any of these phrases, in any order and number; and the words nobody can say.

    A phrase of `UNKNOWN` lets anything else be said in their place. ConfigError where
    nothing can be said. A thousand words take a tenth of a second, so the last few
    grammars are kept for the sessions that come with them again.
    """
    kept = _GRAMMARS.setdefault(model, {})
    if phrases not in kept:
        filler = FILLER_COST if UNKNOWN in phrases else None
        chosen = [phrase.lower().split() for phrase in phrases if phrase != UNKNOWN]
        made = grammar_model(model, phrase_net(chosen, loop=True, filler=filler))
        while len(kept) >= MOST_GRAMMARS:
            del kept[next(iter(kept))]
        kept[phrases] = made
    return kept[phrases]


def _door(start: Start, channels: int) -> Door:
    """The door for the declared audio."""
    if start.encoding in DOORS:
        return DOORS[start.encoding]()
    return AudioDoor(start.encoding, start.sample_rate, channels)


def _bytes_per_s(start: Start, channels: int) -> int:
    if start.encoding in (OPUS, OGG):
        return BYTES_PER_S
    if start.encoding == CONTAINER:
        return CONTAINER_BYTES_PER_S
    if start.encoding in DOORS:
        return WAV_BYTES_PER_S
    return PcmDecoder(start.encoding, channels).frame_bytes * start.sample_rate
