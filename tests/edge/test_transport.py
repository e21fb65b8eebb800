from __future__ import annotations

from streamasr.edge.transport import Message, WebSocket


class Wire:
    """Both ends of an ASGI connection, as plain lists."""

    def __init__(self, *arriving: Message) -> None:
        self.arriving = list(arriving)
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        return self.arriving.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def test_frames_come_and_go_as_text_and_bytes() -> None:
    wire = Wire(
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "hello"},
        {"type": "websocket.receive", "bytes": b"", "text": None},
        {"type": "websocket.disconnect", "code": 1000},
    )
    socket = WebSocket(wire.receive, wire.send, abort=lambda: None, peer="here:1")
    await socket.accept(subprotocol="token", headers=[(b"a", b"b")])
    assert await socket.receive() == "hello"
    assert await socket.receive() == b""
    assert await socket.receive() is None
    await socket.send("text")
    await socket.send(b"bytes")
    await socket.close(1001, "drain")
    assert wire.sent == [
        {"type": "websocket.accept", "subprotocol": "token", "headers": [(b"a", b"b")]},
        {"type": "websocket.send", "text": "text"},
        {"type": "websocket.send", "bytes": b"bytes"},
        {"type": "websocket.close", "code": 1001, "reason": "drain"},
    ]
