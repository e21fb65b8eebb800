"""One running dictation, and how other processes steer it: a Unix socket and a state file.

    with Control.claim(folder) as control:          # refuses a second instance
        control.serve(lambda word: reply)
        control.publish({"state": "listening"})

    ask(folder, "toggle")                           # {"ok": True, "status": {...}}
    for status in follow(folder): ...

A request is one line with one word, the answer one line of JSON; ``follow`` is answered by a
line whenever the status changes. The lock decides who runs, so that a socket that a killed
instance left behind is in nobody's way.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Full, Queue
from typing import IO, Any, Self

from streamasr.errors import StreamasrError, UsageError

LONGEST_REQUEST = 256
FOLLOWERS = 16
BEHIND = 64
"""Statuses that a follower may be behind before it is cut off."""
ANSWER_S = 15.0

Status = dict[str, Any]


def runtime_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where socket and state lie: XDG_RUNTIME_DIR/streamasr, which is the user's alone."""
    base = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    if not Path(base).is_dir():
        raise StreamasrError(
            f"there is no folder {base}",
            remedy="log in by the desktop, or set XDG_RUNTIME_DIR to a folder of your own",
        )
    return Path(base) / "streamasr"


class Control:
    """The instance that runs; `claim` makes it."""

    def __init__(self, folder: Path, lock: IO[str], server: socket.socket) -> None:
        self._folder, self._lock, self._server = folder, lock, server
        self._status: Status = {}
        self._followers: list[Queue[Status | None]] = []
        self._turn = threading.Lock()

    @classmethod
    def claim(cls, folder: Path) -> Control:
        """Become the one instance; raises UsageError where there is one."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "dictate.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            number = lock.read().strip()
            lock.close()
            raise UsageError(
                f"a dictation runs already (process {number})",
                remedy="`streamasr dictate toggle` steers it; end it to start another",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        address = folder / "dictate.socket"
        address.unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            server.bind(str(address))
        except OSError as error:
            server.close()
            lock.close()
            raise StreamasrError(f"cannot listen at {address}: {error}") from error
        server.listen(FOLLOWERS)
        return cls(folder, lock, server)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        with self._turn:
            for follower in self._followers:
                with suppress(Full):
                    follower.put_nowait(None)
        for name in ("dictate.socket", "dictate.json"):
            (self._folder / name).unlink(missing_ok=True)
        self._lock.close()

    def serve(self, act: Callable[[str], Status]) -> None:
        """Answer requests in threads of their own from now on."""
        threading.Thread(
            target=self._accept, args=(act,), name="dictation control", daemon=True
        ).start()

    def publish(self, status: Status) -> None:
        """Tell followers and the state file."""
        with self._turn:
            if status == self._status:
                return
            self._status = status
            for follower in list(self._followers):
                try:
                    follower.put_nowait(status)
                except Full:
                    self._followers.remove(follower)
        temporary = self._folder / "dictate.json.new"
        temporary.write_text(json.dumps(status, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(self._folder / "dictate.json")

    # The control threads

    def _accept(self, act: Callable[[str], Status]) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(
                target=self._answer, args=(peer, act), name="dictation answer", daemon=True
            ).start()

    def _answer(self, peer: socket.socket, act: Callable[[str], Status]) -> None:
        with peer, suppress(OSError):
            peer.settimeout(ANSWER_S)
            word = _read_line(peer).strip()
            if word == "follow":
                peer.settimeout(None)
                self._tell(peer)
            else:
                _send(peer, act(word))

    def _tell(self, peer: socket.socket) -> None:
        mine: Queue[Status | None] = Queue(BEHIND)
        with self._turn:
            if len(self._followers) >= FOLLOWERS:
                _send(peer, {"ok": False, "error": f"{FOLLOWERS} programs follow already"})
                return
            self._followers.append(mine)
            mine.put(self._status)
        try:
            while (status := mine.get()) is not None:
                _send(peer, status)
        finally:
            with self._turn, suppress(ValueError):
                self._followers.remove(mine)


def ask(folder: Path, word: str) -> Status:
    """What the running dictation answers to a word; raises StreamasrError."""
    with _connect(folder) as peer:
        peer.settimeout(ANSWER_S)
        peer.sendall(f"{word}\n".encode())
        try:
            answer: Status = json.loads(_read_line(peer))
        except (TimeoutError, json.JSONDecodeError):
            raise StreamasrError(
                "the dictation does not answer", remedy="end it, start it"
            ) from None
    if not answer.get("ok"):
        raise StreamasrError(answer.get("error", "refused"), remedy=answer.get("remedy", ""))
    return answer


def follow(folder: Path) -> Iterator[Status]:
    """The status now and whenever it changes, until the dictation ends."""
    with _connect(folder) as peer:
        peer.sendall(b"follow\n")
        with peer.makefile(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def _connect(folder: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        peer.connect(str(folder / "dictate.socket"))
    except OSError:
        peer.close()
        raise StreamasrError(
            "no dictation runs", remedy="start one with `streamasr dictate`, or its user service"
        ) from None
    return peer


def _read_line(peer: socket.socket) -> str:
    data = b""
    while not data.endswith(b"\n"):
        more = peer.recv(4096)
        if not more or (len(data) > LONGEST_REQUEST and b"{" not in data):
            break
        data += more
    return data.decode("utf-8", "replace")


def _send(peer: socket.socket, status: Status) -> None:
    peer.sendall((json.dumps(status, ensure_ascii=False) + "\n").encode())
