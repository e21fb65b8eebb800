"""Stand-ins for what people run today, behind the messages that bench/load.py speaks.

    python bench/peers.py pocketsphinx|emformer PORT

`pocketsphinx`: a decoder of pocketsphinx 5 for each connection, with the model and trigram
of its wheel. `emformer`: torchaudio's Emformer RNN-T at the published base size (20 layers
of 512, segments of 160 ms and 40 ms of right context, 4096 units) with random weights: what
a step costs does not depend on them. One unit at most is taken of each of its frames, so the
cost of a beam is left out, in its favour. Both decode in one thread a process beside the
event loop, one stream after the other, as their examples do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.daemon import Daemon

READY_S = 120.0


class Recognition(Protocol):
    """One stream of a peer."""

    def hear(self, pcm: bytes) -> str:
        """Take s16le at 16 kHz; the text so far."""
        ...

    def finish(self) -> str: ...


class Sphinx:
    """A stream of pocketsphinx."""

    def __init__(self) -> None:
        import pocketsphinx

        self._decoder = pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL")
        self._decoder.start_utt()

    def hear(self, pcm: bytes) -> str:
        self._decoder.process_raw(pcm)
        return self._text()

    def finish(self) -> str:
        self._decoder.end_utt()
        return self._text()

    def _text(self) -> str:
        found = self._decoder.hyp()
        return found.hypstr if found is not None else ""


class Emformer:
    """A stream of the Emformer RNN-T; all share one model."""

    SEGMENT, CONTEXT, HOP = 16, 4, 160
    BLANK = 4096
    model: Any = None
    features: Any = None

    def __init__(self) -> None:
        import torch
        import torchaudio

        torch.set_num_threads(1)
        if Emformer.model is None:
            torch.manual_seed(0)
            Emformer.model = torchaudio.models.emformer_rnnt_base(num_symbols=self.BLANK + 1).eval()
            Emformer.features = torchaudio.transforms.MelSpectrogram(
                sample_rate=16_000, n_fft=400, n_mels=80, hop_length=self.HOP
            )
        self._torch = torch
        self._samples = np.zeros(0, np.float32)
        self._state: Any = None
        self._predicted, _, self._memory = self._predict(self.BLANK, None)
        self._units = 0

    def hear(self, pcm: bytes) -> str:
        new = np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768
        self._samples = np.concatenate([self._samples, new])
        window = (self.SEGMENT + self.CONTEXT - 1) * self.HOP
        while len(self._samples) > window:
            self._step(self._samples[:window])
            self._samples = self._samples[self.SEGMENT * self.HOP :]
        return "x " * self._units

    def finish(self) -> str:
        self.hear(bytes(2 * (self.SEGMENT + self.CONTEXT) * self.HOP))
        return "x " * self._units

    def _step(self, samples: np.ndarray) -> None:
        torch, model = self._torch, Emformer.model
        with torch.inference_mode():
            mels = Emformer.features(torch.from_numpy(samples)).T[None].log1p()
            length = torch.tensor([mels.shape[1]])
            out, lengths, self._state = model.transcribe_streaming(mels, length, self._state)
            for at in range(int(lengths[0])):
                frame = out[:, at : at + 1]
                one = torch.tensor([1])
                scores, _, _ = model.join(frame, one, self._predicted, one)
                unit = int(scores.argmax())
                if unit != self.BLANK and at % 2 == 0:
                    self._units += 1
                    self._predicted, _, self._memory = self._predict(unit, self._memory)

    def _predict(self, unit: int, memory: Any) -> Any:
        torch = self._torch
        with torch.inference_mode():
            return Emformer.model.predict(torch.tensor([[unit]]), torch.tensor([1]), memory)


KINDS = {"pocketsphinx": Sphinx, "emformer": Emformer}


async def answer(kind: type[Sphinx | Emformer], socket: ServerConnection, pool: Any) -> None:
    """One session, in the messages of our protocol that the load needs."""
    loop = asyncio.get_running_loop()

    async def tell(**message: Any) -> None:
        await socket.send(json.dumps(message))

    await socket.recv()
    stream: Recognition = await loop.run_in_executor(pool, kind)
    await tell(type="ready")
    heard, told, has_spoken = 0, "", False
    async for message in socket:
        if isinstance(message, str):
            break
        heard += len(message) // 2
        text = await loop.run_in_executor(pool, stream.hear, message)
        if text != told and text:
            if not has_spoken:
                await tell(type="speech_started", utterance=0, at=0)
                has_spoken = True
            await tell(type="partial", utterance=0, text=text, start=0, end=heard)
            told = text
    text = await loop.run_in_executor(pool, stream.finish)
    await tell(type="final", utterance=0, text=text, start=0, end=heard)
    await tell(type="closed", reason="stop")


async def run(name: str, port: int) -> None:
    kind = KINDS[name]
    pool = ThreadPoolExecutor(1)
    await asyncio.get_running_loop().run_in_executor(pool, kind)  # loaded and warm

    async def one(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await answer(kind, socket, pool)

    async with serve(one, "127.0.0.1", port, compression=None, ping_interval=None):
        await asyncio.get_running_loop().create_future()


@contextlib.contextmanager
def peer(name: str) -> Iterator[Daemon]:
    """Run a peer on a free port for as long as the block lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, name, str(port)], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            if process.poll() is not None or time.perf_counter() - started > READY_S:
                raise SystemExit(f"the peer {name} did not start")
            time.sleep(0.1)
        yield Daemon(process.pid, port, time.perf_counter() - started)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
