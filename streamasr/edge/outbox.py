"""Messages waiting for a reader that may be slow: partials are merged, nothing else is lost.

    outbox = Outbox(bound=64)
    outbox.put(event)                 # never waits
    message = await outbox.get()      # one reader

A partial replaces the one that waits directly before it when both belong to one
utterance: it says the same and more. Everything else is kept. `is_full` tells the owner to
stop causing events; what is already under way may still exceed the bound.
"""

from __future__ import annotations

import asyncio
from collections import deque

from streamasr.core.events import Partial
from streamasr.core.messages import ServerMessage


class Outbox:
    """A queue of server messages with one reader, on one event loop."""

    def __init__(self, *, bound: int) -> None:
        self._bound = bound
        self._waiting: deque[ServerMessage] = deque()
        self._arrival: asyncio.Future[None] | None = None  # set while the reader sleeps

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= self._bound

    def put(self, message: ServerMessage) -> None:
        if self._waiting and isinstance(message, Partial):
            last = self._waiting[-1]
            if isinstance(last, Partial) and last.utterance == message.utterance:
                self._waiting[-1] = message
                return
        self._waiting.append(message)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def get(self) -> ServerMessage:
        """Take the oldest message, waiting for one if there is none."""
        while not self._waiting:
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        return self._waiting.popleft()
