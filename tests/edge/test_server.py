import asyncio
import contextlib
import os
import pty
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from streamasr.core.events import Final, SpeechStarted
from streamasr.edge.client import connect, transcribe
from streamasr.edge.listening import listen
from streamasr.errors import OverloadError, PeerError, StreamasrError
from tests.edge.daemon import pcm, pieces, settings_of
from tests.edge.processes import ROOT, SCRIPTED, process, program, ready
from tests.edge.test_service import get
from tests.fakes import tone

AUDIO = pcm(tone(1.0))


async def test_sigterm_with_nobody_there_ends_at_once_with_0() -> None:
    async with ready() as running:
        running.signal()
        assert await running.end() == 0
    assert "all sessions finished" in running.log[-1]


async def test_sigint_is_as_good() -> None:
    async with ready() as running:
        running.process.send_signal(signal.SIGINT)
        assert await running.end() == 0


async def test_sigterm_lets_a_session_finish_its_utterance() -> None:
    async with ready() as running:
        async with connect(running.url, vad=False) as client:
            await client.send(AUDIO)
            events = aiter(client)
            assert isinstance(await anext(events), SpeechStarted)
            running.signal()
            rest = [event async for event in events]
            assert any(isinstance(event, Final) for event in rest)
            assert client.closed is not None
            assert client.closed.reason == "drain"
            assert client.closed.position > 0
        assert await running.end() == 0


async def test_while_draining_nobody_else_gets_in() -> None:
    async with ready(SCRIPTED_STEP_S="0.1") as running:
        async with connect(running.url, vad=False) as client:
            await client.send(AUDIO)
            await anext(aiter(client))
            running.signal()
            await running.until_logged("stopping")
            status, body = await get(running.url, "/readyz")
            assert (status, body["reason"]) == (503, "the server is shutting down")
            with pytest.raises(OverloadError, match="shutting down"):
                async with connect(running.url):
                    pass
            events = [event async for event in client]
            assert any(isinstance(event, Final) for event in events)
        assert await running.end() == 0


async def test_the_drain_deadline_cuts_and_says_so() -> None:
    async with ready(SCRIPTED_STEP_S="0.5", STREAMASR_LIMITS_DRAIN_S="0.3") as running:
        async with connect(running.url, vad=False) as client:
            await client.send(AUDIO)
            await anext(aiter(client))
            running.signal()
            with pytest.raises(PeerError, match="broke off"):
                async for _ in client:
                    pass
        assert await running.end() == 1
    assert "1 sessions were cut" in running.log[-1]


async def test_a_second_signal_cuts_at_once() -> None:
    slow = ready(SCRIPTED_STEP_S="0.5", STREAMASR_LIMITS_DRAIN_S="60")
    async with slow as running, connect(running.url, vad=False) as client:
        await client.send(AUDIO)
        await anext(aiter(client))
        running.signal()
        await running.until_logged("stopping")
        running.signal()
        async with asyncio.timeout(5):
            with pytest.raises(PeerError, match="broke off"):
                async for _ in client:
                    pass
            assert await running.end() == 1


async def test_an_engine_that_does_not_open_ends_the_process_with_one_line() -> None:
    async with process(SCRIPTED_FAIL="1", STREAMASR_SERVER_WYOMING_PORT="-1") as running:
        assert await running.end() == 1
    assert running.log == ["ERROR no model here (put one there)\n"]


async def test_a_port_in_use_is_one_line_and_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with process(STREAMASR_SERVER_PORT=port) as running:
            assert await running.end() == 1
    (line,) = running.log
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in line


async def test_systemd_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        async with ready(NOTIFY_SOCKET=str(tmp_path / "notify")) as running:
            assert sock.recv(100) == b"READY=1"
            running.signal()
            assert await running.end() == 0
            assert sock.recv(100) == b"STOPPING=1"


async def test_a_stuck_engine_gives_no_signs_of_life_though_the_loop_goes_on(
    tmp_path: Path,
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        asked = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "150000"}
        async with (
            ready(SCRIPTED_STUCK="1", **asked) as running,
            connect(running.url, vad=False) as client,
        ):
            assert sock.recv(100) == b"READY=1"
            for _ in range(3):
                assert sock.recv(100) == b"WATCHDOG=1"
            await client.send(AUDIO)
            sock.settimeout(2)
            with contextlib.suppress(TimeoutError):
                for _ in range(20):  # those that were under way, by far not so many
                    assert await asyncio.to_thread(sock.recv, 100) == b"WATCHDOG=1"
                raise AssertionError("signs of life from a stuck engine")
            assert (await get(running.url, "/healthz"))[0] == 200
            running.process.kill()
            with pytest.raises(PeerError):
                async for _ in client:
                    pass


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="it comes with Debian's systemd"
)
async def test_systemd_opens_the_port_and_the_first_client_starts_us() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    environ = {"PYTHONPATH": str(ROOT), "STREAMASR_SERVER_WYOMING_PORT": "-1"}
    command = ["systemd-socket-activate", f"--listen=127.0.0.1:{port}"]
    command += [f"--setenv={name}" for name in environ]
    async with program(*command, *SCRIPTED, environ=environ) as running:
        await running.until_logged("Listening on")
        transcript = await transcribe(f"ws://127.0.0.1:{port}", pieces(AUDIO), vad=False)
        assert transcript.finals
        await running.until_logged(f"ready on ws://127.0.0.1:{port}/v1/stream")
        running.signal()
        assert await running.end() == 0


async def test_nothing_that_was_said_and_no_token_is_logged(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("hush-hush\n")
    file.chmod(0o600)
    async with ready(STREAMASR_SERVER_TOKEN_FILE=str(file)) as running:
        url = running.url + "/v1/stream?token=hush-hush"
        transcript = await transcribe(url, pieces(AUDIO), vad=False)
        running.signal()
        assert await running.end() == 0
    assert sum("ended: stop" in line for line in running.log) == 1
    log = "".join(running.log)
    assert "hush-hush" not in log
    assert transcript.text not in log
    assert "1.0 s heard" in log


async def test_sighup_takes_new_settings_and_refuses_broken_ones(tmp_path: Path) -> None:
    config = tmp_path / "streamasr.toml"
    config.write_text("[limits]\nidle_s = 50\n")
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        environ = {"STREAMASR_CONFIG": str(config), "NOTIFY_SOCKET": address}
        async with ready(**environ) as running, connect(running.url, vad=False) as old:
            assert sock.recv(1000) == b"READY=1"
            assert old.ready.limits.idle_s == 50
            await old.send(AUDIO[:8000])
            config.write_text("[limits]\nidle_s = 60\nsessions = 7\n")
            running.process.send_signal(signal.SIGHUP)
            assert "7 sessions" in await running.until_logged("reloaded: model scripted")
            assert sock.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert sock.recv(1000) == b"READY=1\nSTATUS="
            broken = {
                "[limits]\nidle = 60\n": "did you mean limits.idle_s",
                "[limits\n": "not valid TOML",
                '[server]\nmodel = "fails"\n': "no model here (put one there)",
                '[server]\ntoken_file = "/nowhere"\n': "cannot read the token file /nowhere",
            }
            for text, fault in broken.items():
                config.write_text(text)
                running.process.send_signal(signal.SIGHUP)
                assert fault in await running.until_logged("reload refused, all stays as it was")
                assert sock.recv(1000).startswith(b"RELOADING=1")
                assert fault.encode() in sock.recv(1000)
            async with connect(running.url) as new:
                assert new.ready.limits.idle_s == 60
            await old.send(AUDIO[8000:])
            assert (await old.stop()).audio_s == 1.0
            running.signal()
            assert await running.end() == 0


async def test_a_reload_that_is_asked_for_during_another_is_not_lost(tmp_path: Path) -> None:
    config = tmp_path / "streamasr.toml"
    config.write_text("")
    async with ready(STREAMASR_CONFIG=str(config), SCRIPTED_LOAD_S="1") as running:
        config.write_text("[limits]\nsessions = 7\n")
        running.process.send_signal(signal.SIGHUP)
        await running.until_logged("loading for 7")
        config.write_text("[limits]\nsessions = 8\n")
        running.process.send_signal(signal.SIGHUP)
        assert "7 sessions" in await running.until_logged("reloaded")
        assert "8 sessions" in await running.until_logged("reloaded")
        running.signal()
        assert await running.end() == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
async def test_sighup_shows_a_renewed_certificate(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    files = {"STREAMASR_SERVER_TLS_CERT": str(cert), "STREAMASR_SERVER_TLS_KEY": str(key)}
    async with ready(**files) as running:
        old = ssl.create_default_context(cafile=str(cert))
        assert (await transcribe(running.url, pieces(AUDIO), vad=False, tls=old)).finals
        certificate(tmp_path)
        running.process.send_signal(signal.SIGHUP)
        await running.until_logged("reloaded")
        new = ssl.create_default_context(cafile=str(cert))
        assert (await transcribe(running.url, pieces(AUDIO), vad=False, tls=new)).finals
        with pytest.raises(StreamasrError):
            await transcribe(running.url, pieces(AUDIO), vad=False, tls=old)
        running.signal()
        assert await running.end() == 0


async def test_a_terminal_that_closes_ends_what_was_started_there() -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-c", CONTROLLED, *SCRIPTED]
    environ = {"STREAMASR_SERVER_PORT": "0"}
    async with program(*command, environ=environ, stdin=slave, start_new_session=True) as running:
        os.close(slave)
        await running.until_logged("ready on")
        running.process.send_signal(signal.SIGHUP)  # of somebody else: the terminal is there
        await running.until_logged("reloaded")
        os.close(master)
        assert await running.end() == 0


CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal at stdin the one that controls this session."""


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subject = "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    arguments = f"{command} {subject} -keyout {key} -out {cert}".split()
    subprocess.run(arguments, check=True, capture_output=True)
    return cert, key


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
async def test_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    files = {"STREAMASR_SERVER_TLS_CERT": str(cert), "STREAMASR_SERVER_TLS_KEY": str(key)}
    async with ready(**files) as running:
        assert running.url.startswith("wss://")
        tls = ssl.create_default_context(cafile=str(cert))
        transcript = await transcribe(running.url, pieces(AUDIO), vad=False, tls=tls)
        assert transcript.finals
        running.signal()
        assert await running.end() == 0


async def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.write_text("no certificate")
    files = {"STREAMASR_SERVER_TLS_CERT": str(file), "STREAMASR_SERVER_TLS_KEY": str(file)}
    async with process(**files) as running:
        assert await running.end() != 0
    assert "cannot use the TLS certificate" in running.log[-1]


def test_an_address_that_does_not_exist_is_named() -> None:
    settings = settings_of(server__host="no-such-host.invalid", server__insecure=True)
    with pytest.raises(StreamasrError, match=r"no-such-host\.invalid"):
        listen(settings)


def test_ipv6_is_spoken() -> None:
    with listen(settings_of(server__host="::1")) as sock:
        assert sock.family is socket.AF_INET6


def test_small_messages_leave_at_once() -> None:
    with listen(settings_of()) as sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
