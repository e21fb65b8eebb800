"""Messages waiting for a reader that may be slow: partials are merged, nothing else is lost.

    outbox = Outbox(bound=64)
    outbox.put(event)                          # never waits
    message, channel = await outbox.get()      # one reader

A partial replaces the one that waits directly before it when both belong to one
utterance of one channel: it says the same and more. Everything else is kept. `is_full`
tells the owner to stop causing events; what is already under way may still exceed the
bound.
"""

from __future__ import annotations

import asyncio
from collections import deque

from streamasr.core.dialects import Say, Told
from streamasr.core.events import Partial

Outgoing = Told | Say


class Outbox:
    """A queue of what is to be told, with one reader, on one event loop."""

    def __init__(self, *, bound: int) -> None:
        self._bound = bound
        self._waiting: deque[tuple[Outgoing, int]] = deque()
        self._arrival: asyncio.Future[None] | None = None  # set while the reader sleeps

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= self._bound

    def put(self, message: Outgoing, channel: int = 0) -> None:
        if self._waiting and isinstance(message, Partial):
            last, its_channel = self._waiting[-1]
            is_older = isinstance(last, Partial) and last.utterance == message.utterance
            if is_older and its_channel == channel:
                self._waiting[-1] = (message, channel)
                return
        self._waiting.append((message, channel))
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def get(self) -> tuple[Outgoing, int]:
        """Take the oldest message and its channel, waiting for one if there is none."""
        while not self._waiting:
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        return self._waiting.popleft()
