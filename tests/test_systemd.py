"""The units under a real systemd: Debian in a folder, booted, with the daemon installed as said.

Making that folder takes minutes; STREAMASR_DEBIAN=FOLDER keeps it for the next time.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from streamasr.core.events import Final
from streamasr.edge.client import Client, connect
from streamasr.errors import UsageError
from tests.edge.daemon import pcm, pieces
from tests.test_packaging import CLIP, ROOT

SAID = "these people will also be surprised they will say lord"
PACKAGES = "systemd,systemd-sysv,procps,dbus,dbus-user-session,libpam-systemd,python3,python3-venv"
QUIET = ("--quiet", "--register=no", "--keep-unit")
SHARED = ("/etc/ssl/certs", "/etc/pip.conf")
"""What pip may need to reach its index from here."""
URL = "ws://127.0.0.1:2700"
CLONE_NEWNET = 0x40000000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can boot a container"),
    *(
        pytest.mark.skipif(shutil.which(program) is None, reason=f"apt-get install {package}")
        for program, package in [
            ("debootstrap", "debootstrap"),
            ("systemd-nspawn", "systemd-container"),
        ]
    ),
]


def run(*command: str | Path) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def until(is_true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that another system brings about without telling us."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.1)


class Machine:
    """A container with its own systemd and network; ``root`` is its file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._leader = 0
        self._read_up_to = ""

    def prepare(self, *command: str, folder: Path) -> None:
        """Run a command that may download; the folder is /made there."""
        binds = [f"--bind-ro={path}" for path in SHARED if os.path.exists(path)]
        passed = [f"--setenv={name}" for name in os.environ if name.startswith("PIP_")]
        spawn = ["systemd-nspawn", *QUIET, "--directory", self.root, *binds, *passed]
        run(*spawn, f"--bind-ro={folder}:/made", "--", *command)

    @contextlib.contextmanager
    def booted(self) -> Iterator[None]:
        spawn = ["systemd-nspawn", *QUIET, "--directory", self.root, "--private-network"]
        with subprocess.Popen(
            [*spawn, "--console=pipe", "--boot"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ) as container:
            children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
            try:
                until(lambda: len(children.read_text().split()) == 1)
                self._leader = int(children.read_text())
                until(lambda: self.state("is-system-running") == "running")
                yield
            finally:
                self.state("poweroff")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    container.wait(60)
                container.kill()

    def inside(self, *command: str) -> list[str]:
        """What runs a command in the booted container."""
        return ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "--", *command]

    def run(self, *command: str) -> str:
        return run(*self.inside(*command))

    def state(self, *question: str) -> str:
        """What systemctl says, whatever its exit code is."""
        asked = self.inside("systemctl", *question)
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()

    def shown(self, name: str) -> str:
        return self.run("systemctl", "show", "--value", "-p", name, "streamasr.service")

    def turn_page(self) -> None:
        """Begin the journal anew, for this object."""
        self._read_up_to = self.run("journalctl", "-n1", "--show-cursor").rpartition(" ")[2]

    def journal(self) -> str:
        """What the service and systemd said of it since the page was turned."""
        self.run("journalctl", "--sync")
        wanted = ["-u", "streamasr", "--after-cursor", self._read_up_to]
        return self.run("journalctl", *wanted, "-o", "cat", "--no-pager")

    def set(self, toml: str) -> None:
        (self.root / "etc/streamasr/streamasr.toml").write_text(toml)

    def client(self, talk: Coroutine[Any, Any, Any]) -> Any:
        """What a client of ours brings home from the network of the container."""

        def there() -> Any:
            with open(f"/proc/{self._leader}/ns/net", "rb") as network:
                assert ctypes.CDLL(None).setns(network.fileno(), CLONE_NEWNET) == 0
            return asyncio.run(talk)

        with ThreadPoolExecutor(1) as apart:  # the thread stays there, so it is used once
            return apart.submit(there).result()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted Debian with the daemon's wheel, units and tokens, and nothing of it running."""
    kept = os.environ.get("STREAMASR_DEBIAN")
    root = Path(kept) if kept else tmp_path_factory.mktemp("debian")
    root.mkdir(exist_ok=True)
    root.chmod(0o755)  # it is the / of all users there
    machine = Machine(root)
    if not (root / "usr").is_dir():
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root)
    if not (root / "opt/streamasr").is_dir():
        made = tmp_path_factory.mktemp("dist")
        run(ROOT / "scripts" / "dist", made, sys.executable)
        (wheel,) = made.glob("*.whl")
        machine.prepare("python3", "-m", "venv", "/opt/streamasr", folder=made)
        pip = "/opt/streamasr/bin/pip"
        machine.prepare(pip, "install", "--quiet", f"/made/{wheel.name}", folder=made)
    for unit in ("streamasr.service", "streamasr.socket"):
        shutil.copy(ROOT / "systemd" / unit, root / "etc/systemd/system")
    shutil.copy(ROOT / "systemd/user/streamasr.service", root / "etc/systemd/user")
    (root / "etc/streamasr").mkdir(exist_ok=True)
    with machine.booted():
        yield machine


@pytest.fixture
def service(machine: Machine) -> Iterator[Machine]:
    """The machine with the settings that we ship, running until the test is over."""
    machine.set((ROOT / "systemd/streamasr.toml").read_text())
    machine.turn_page()
    machine.run("systemctl", "start", "streamasr.service")
    yield machine
    machine.run("systemctl", "stop", "streamasr.socket", "streamasr.service")
    machine.state("reset-failed")


def audio() -> list[bytes]:
    """The clip in pieces of 100 ms."""
    samples, rate = soundfile.read(CLIP, dtype="float32")
    assert rate == 16_000
    return pieces(pcm(np.asarray(samples)))


async def transcribe(token: str = "") -> list[str]:
    """The words of the clip."""
    async with connect(URL, token=token) as client:
        for piece in audio():
            await client.send(piece)
        await client.stop()
        return await words_of(client)


async def words_of(client: Client) -> list[str]:
    return " ".join([e.text async for e in client if isinstance(e, Final)]).split()


def is_right(words: list[str]) -> bool:
    return len(set(words) & set(SAID.split())) >= 6


def test_the_service_needs_no_rights_and_tells_no_words(service: Machine) -> None:
    words = service.client(transcribe())
    assert is_right(words), words
    facts = service.run("cat", f"/proc/{service.shown('MainPID')}/status")
    status = dict(line.split(":\t", 1) for line in facts.splitlines() if ":\t" in line)
    assert "0" not in status["Uid"].split()
    assert int(status["CapBnd"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    journal = service.journal()
    assert f"utterances, {len(words)} words, rtf" in journal
    assert "surprised" not in journal


def test_secrets_are_files_of_a_user_that_the_service_takes(service: Machine) -> None:
    """A user of the service's name takes the place of the one that systemd makes up."""
    file = "/etc/streamasr/tokens"
    tokens = [service.run("/opt/streamasr/bin/streamasr", "token", file) for _ in range(2)]
    service.state("stop", "streamasr")
    service.run("useradd", "--system", "--user-group", "--no-create-home", "streamasr")
    try:
        service.run("chown", "root:streamasr", file)
        service.run("chmod", "640", file)
        service.set(f'[server]\ntoken_file = "{file}"\n')
        service.run("systemctl", "start", "streamasr")
        with pytest.raises(UsageError, match="token"):
            service.client(transcribe())
        assert is_right(service.client(transcribe(tokens[0])))
        service.run("sed", "-i", "1d", file)
        service.run("systemctl", "reload", "streamasr")
        until(lambda: "reloaded" in service.journal())
        with pytest.raises(UsageError, match="token"):
            service.client(transcribe(tokens[0]))
        assert is_right(service.client(transcribe(tokens[1])))
    finally:
        service.run("systemctl", "stop", "streamasr")
        service.run("userdel", "streamasr")
        service.run("rm", file)


def test_broken_settings_change_nothing_and_are_told(service: Machine) -> None:
    pid = service.shown("MainPID")
    service.set("[limits]\nsesions = 3\n")
    service.run("systemctl", "reload", "streamasr")
    until(lambda: "sesions" in service.shown("StatusText"))
    assert "reload refused, all stays as it was" in service.journal()
    assert is_right(service.client(transcribe()))
    service.set("[limits]\nsessions = 3\n")
    service.run("systemctl", "reload", "streamasr")
    until(lambda: not service.shown("StatusText"))
    assert service.shown("MainPID") == pid
    service.set("[limits]\nsesions = 3\n")
    service.state("restart", "streamasr")
    until(lambda: service.state("is-active", "streamasr") == "failed")
    assert service.shown("NRestarts") == "0"


def test_a_service_that_is_stuck_is_started_again(service: Machine) -> None:
    pid = service.shown("MainPID")
    service.run("kill", "-STOP", pid)
    until(lambda: service.shown("NRestarts") == "1", seconds=120)
    until(lambda: service.state("is-active", "streamasr") == "active")
    assert "Watchdog timeout (limit 30s)!" in service.journal()
    assert service.shown("MainPID") != pid
    assert is_right(service.client(transcribe()))


def test_stopping_tells_the_last_words(service: Machine) -> None:
    async def talk() -> tuple[list[str], str]:
        async with connect(URL) as client:
            for piece in audio():
                await client.send(piece)
            words: list[str] = []
            stopping = None
            async for event in client:
                if isinstance(event, Final):
                    words += event.text.split()
                if stopping is None and "surprised" in getattr(event, "text", ""):
                    stop = asyncio.to_thread(service.run, "systemctl", "stop", "streamasr")
                    stopping = asyncio.create_task(stop)
            assert stopping is not None
            await stopping
            assert client.closed is not None
            return words, client.closed.reason

    words, reason = service.client(talk())
    assert reason == "drain"
    assert "surprised" in words
    assert service.shown("Result") == "success"


def test_the_first_client_starts_the_service(machine: Machine) -> None:
    machine.set("")
    machine.run("systemctl", "start", "streamasr.socket")
    try:
        assert machine.state("is-active", "streamasr.service") == "inactive"
        assert is_right(machine.client(transcribe()))
        assert machine.state("is-active", "streamasr.service") == "active"
    finally:
        machine.run("systemctl", "stop", "streamasr.socket", "streamasr.service")


def test_a_user_has_a_service_of_her_own(machine: Machine) -> None:
    if not (machine.root / "home/ada").is_dir():
        machine.run("useradd", "--create-home", "ada")
        share = "/home/ada/.local/share/streamasr"
        machine.run("runuser", "-u", "ada", "--", "mkdir", "-p", share)
        machine.run("runuser", "-u", "ada", "--", "ln", "-s", "/opt/streamasr/bin", share)
    uid = machine.run("id", "-u", "ada")
    machine.run("systemctl", "start", f"user@{uid}")
    asked = ["runuser", "-u", "ada", "--", "env", f"XDG_RUNTIME_DIR=/run/user/{uid}", "systemctl"]
    machine.run(*asked, "--user", "start", "streamasr")
    try:
        assert is_right(machine.client(transcribe()))
    finally:
        machine.run("systemctl", "stop", f"user@{uid}")
