"""Real workers behind a real supervisor, over sockets, signals and process ids."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest

from streamasr.edge.client import connect
from streamasr.errors import PeerError
from tests.edge.daemon import pcm
from tests.fakes import tone

pytestmark = pytest.mark.timeout(180)  # processes start slowly where others work too


PASS_ON = """
import os, sys
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does to pass a socket on."""


@dataclass
class Daemon:
    """``streamasr serve --workers``; its log is read as it comes."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    reader: Thread | None = None

    @property
    def port(self) -> int:
        (port,) = re.findall(r"workers on port (\d+)", "\n".join(self.lines))
        return int(port)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def until(self, is_true: Callable[[], bool]) -> None:
        """Read on until something is so; the test's own timeout is the bound."""
        while not is_true():
            assert self.process.stderr is not None
            line = self.process.stderr.readline()
            assert line, "the daemon ended:\n" + "".join(self.lines)
            self.lines.append(line)

    def says(self, text: str, times: int = 1) -> None:
        self.until(lambda: sum(text in line for line in self.lines) >= times)

    def read_on(self) -> None:
        """Keep the log from filling its pipe while the test does something else."""
        self.reader = Thread(target=lambda: self.lines.extend(self.process.stderr or ()))
        self.reader.start()

    def children(self) -> list[int]:
        """The worker processes, oldest first."""
        file = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        found = [int(pid) for pid in file.read_text().split()]
        return [pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@contextlib.contextmanager
def started(
    model: Path,
    *flags: str,
    before: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
    **environ: str,
) -> Iterator[Daemon]:
    command = [
        *before,
        sys.executable,
        "-m",
        "streamasr",
        "serve",
        "--port",
        "0",
        "--model",
        str(model),
    ]
    process = subprocess.Popen(
        [*command, "--device", "cpu", "--workers", "2", *flags],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
        pass_fds=pass_fds,
    )
    daemon = Daemon(process)
    try:
        yield daemon
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        if daemon.reader is not None:
            daemon.reader.join()
        assert process.stderr is not None
        process.stderr.close()


def test_two_workers_share_a_port_and_drain_together(tiny_bundle: Path) -> None:
    async def converse(daemon: Daemon) -> list[str]:
        async with contextlib.AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(connect(daemon.url, vad=False)) for _ in range(16)
            ]
            for client in clients:
                await client.send(pcm(tone(0.5)))
            daemon.process.send_signal(signal.SIGTERM)
            reasons = []
            for client in clients:
                assert [event async for event in client]
                assert client.closed is not None
                reasons.append(client.closed.reason)
            return reasons

    with started(tiny_bundle) as daemon:
        daemon.says("workers on port")
        assert len(daemon.children()) == 2
        with urllib.request.urlopen(f"http://127.0.0.1:{daemon.port}/metrics") as answer:
            assert b"streamasr_capacity_streams 512" in answer.read()
        daemon.read_on()
        assert asyncio.run(converse(daemon)) == ["drain"] * 16
        assert daemon.process.wait() == 0
    ended = [line for line in daemon.lines if "stopped: all sessions finished" in line]
    assert len(ended) == 2


def test_a_killed_worker_is_replaced_and_the_other_goes_on(tiny_bundle: Path) -> None:
    async def converse(daemon: Daemon) -> tuple[int, int]:
        lost = kept = 0
        async with contextlib.AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(connect(daemon.url, vad=False)) for _ in range(16)
            ]
            os.kill(daemon.children()[0], signal.SIGKILL)
            for client in clients:
                try:
                    await client.send(pcm(tone(0.5)))
                    await client.stop()
                    kept += 1
                except PeerError:
                    lost += 1
        return lost, kept

    with started(tiny_bundle) as daemon:
        daemon.says("workers on port")
        before = daemon.children()
        lost, kept = asyncio.run(converse(daemon))
        assert lost + kept == 16
        assert kept > 0
        assert "ended with signal 9" not in "".join(daemon.lines)
        daemon.says("ended with signal 9")
        daemon.says("sessions\n", times=3)
        assert len(daemon.children()) == 2
        assert before[1] in daemon.children()
        daemon.process.send_signal(signal.SIGINT)
        daemon.read_on()
        assert daemon.process.wait() == 0


def test_a_secret_of_one_worker_is_good_for_all(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("sesame\n")
    path, shown = "/v1/realtime/client_secrets", {"Authorization": "Bearer sesame"}

    async def come_in(daemon: Daemon, secret: str) -> None:
        for _ in range(16):
            async with connect(daemon.url, token=secret) as client:
                await client.stop()

    with started(tiny_bundle, "--token-file", str(tmp_path / "tokens")) as daemon:
        daemon.says("workers on port")
        daemon.read_on()
        address = f"http://127.0.0.1:{daemon.port}{path}"
        asked = urllib.request.Request(address, data=b"{}", headers=shown)
        with urllib.request.urlopen(asked) as answer:
            secret = json.load(answer)["value"]
        asyncio.run(come_in(daemon, secret))


def test_workers_do_not_outlive_their_supervisor(tiny_bundle: Path) -> None:
    with started(tiny_bundle) as daemon:
        daemon.says("workers on port")
        workers = [os.pidfd_open(pid) for pid in daemon.children()]
        daemon.process.kill()
        daemon.read_on()
        for worker in workers:
            assert select.select([worker], [], [], 60)[0]
            os.close(worker)


def test_systemd_hears_of_the_supervisor_alone(tiny_bundle: Path, tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        with started(tiny_bundle, NOTIFY_SOCKET=address) as daemon:
            daemon.says("workers on port")
            assert systemd.recv(64) == b"READY=1"
            daemon.process.send_signal(signal.SIGTERM)
            daemon.read_on()
            assert daemon.process.wait() == 0
            assert systemd.recv(64) == b"STOPPING=1"
            systemd.setblocking(False)
            with pytest.raises(BlockingIOError):
                systemd.recv(64)


def test_a_stuck_worker_is_found_out_and_replaced(tiny_bundle: Path) -> None:
    with started(tiny_bundle, WATCHDOG_USEC="3000000") as daemon:
        daemon.says("workers on port")
        stuck, other = daemon.children()
        os.kill(stuck, signal.SIGSTOP)
        daemon.says("worker 0 is stuck, killed")
        daemon.says("sessions\n", times=3)
        assert stuck not in daemon.children()
        assert other in daemon.children()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.read_on()
        assert daemon.process.wait() == 0


def test_all_workers_take_new_settings_or_none_does(tiny_bundle: Path, tmp_path: Path) -> None:
    config = tmp_path / "streamasr.toml"
    config.write_text("[limits]\nidle_s = 50\n")

    async def idle_limits(daemon: Daemon) -> set[float]:
        found = set()
        for _ in range(12):  # the kernel deals them out to both
            async with connect(daemon.url) as client:
                found.add(client.ready.limits.idle_s)
        return found

    with started(tiny_bundle, "--config", str(config)) as daemon:
        daemon.says("workers on port")
        before = daemon.children()
        config.write_text("[limits]\nidle_s = 60\nsessions = 9\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.says("reloaded: model tiny", times=2)
        assert asyncio.run(idle_limits(daemon)) == {60}
        config.write_text('[limits]\nidle_s = 70\n[stream]\nhotwords = ["ab"]\n')
        daemon.process.send_signal(signal.SIGHUP)  # that model cannot be told to expect words
        daemon.says("reload refused, all stays as it was: ")
        config.write_text("[limits]\nidle = 70\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.says("did you mean limits.idle_s?")
        assert asyncio.run(idle_limits(daemon)) == {60}
        assert daemon.children() == before
        os.kill(before[0], signal.SIGKILL)
        daemon.says("9 sessions\n", times=3)  # the successor has the settings in use
        assert asyncio.run(idle_limits(daemon)) == {60}
        daemon.process.send_signal(signal.SIGTERM)
        daemon.read_on()
        assert daemon.process.wait() == 0


def test_workers_share_the_socket_that_systemd_opened(tiny_bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        # in place of systemd-socket-activate, which starts nobody before the first client
        given = [sys.executable, "-c", PASS_ON, str(sock.fileno())]
        with started(tiny_bundle, before=given, pass_fds=[sock.fileno()]) as daemon:
            daemon.says("workers on port")
            assert daemon.port == sock.getsockname()[1]
            sock.close()

            async def converse() -> None:
                async with contextlib.AsyncExitStack() as stack:
                    clients = [
                        await stack.enter_async_context(connect(daemon.url, vad=False))
                        for _ in range(8)
                    ]
                    for client in clients:
                        await client.send(pcm(tone(0.3)))
                        await client.stop()

            asyncio.run(converse())
            daemon.process.send_signal(signal.SIGTERM)
            daemon.read_on()
            assert daemon.process.wait() == 0


@pytest.mark.parametrize(
    ("flags", "code"), [(["--token-file", "/nowhere"], 2), (["--model", "/no/such/model"], 1)]
)
def test_workers_that_cannot_start_end_the_daemon(
    tiny_bundle: Path, flags: list[str], code: int
) -> None:
    with started(tiny_bundle, *flags) as daemon:
        daemon.read_on()
        assert daemon.process.wait() == code
    assert any("/nowhere" in line or "/no/such" in line for line in daemon.lines)
