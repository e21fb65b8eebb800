"""Text that is sent by what is new in it, to clients that can only append."""

from __future__ import annotations


class Growing:
    """The text of one item as a client has it.

    A recogniser may correct what it said; a client that appends cannot. So nothing is sent
    while the new text does not begin with what was sent.
    """

    def __init__(self) -> None:
        self.sent = ""

    def grow(self, text: str) -> str:
        """What to append so that the client has this text; empty where that cannot be."""
        if len(text) <= len(self.sent) or not text.startswith(self.sent):
            return ""
        new, self.sent = text[len(self.sent) :], text
        return new
