"""A daemon of our own to measure: started, waited for, asked about itself, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Daemon:
    pid: int
    port: int
    start_s: float
    """From starting the process to the first positive /readyz."""

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def processes(self) -> list[int]:
        """The daemon and its workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def resident_mb(self) -> float:
        """Memory that is there, of all processes; what they share counts for each."""
        return sum(_status(pid, "VmRSS") for pid in self.processes()) / 1024

    def own_mb(self) -> float:
        """Memory of their own: without files that are mapped, such as the compiled graph."""
        return sum(_status(pid, "RssAnon") for pid in self.processes()) / 1024

    def cpu_s(self) -> float:
        """Processor time of all processes so far."""
        return sum(map(_cpu_s, self.processes()))

    def threads(self) -> int:
        return sum(_status(pid, "Threads") for pid in self.processes())

    def descriptors(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.processes())


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name + ":")).split()[1])


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(*arguments: str, timeout_s: float = 60.0) -> Iterator[Daemon]:
    """Run ``streamasr serve`` on a free port for as long as the block lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamasr", "serve", "--port", str(port), *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - started > timeout_s:
                raise SystemExit(f"the daemon did not start: {' '.join(command)}")
            time.sleep(0.01)
        yield Daemon(process.pid, port, time.perf_counter() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
