"""What `streamasr command` does: audio to intents on standard output, and to actions.

    Commander(Path("home.toml"), engine, graph, display).listen(Sources())

The file of sentences is looked at every second and compiled beside the listening; what is
being said is still heard as before. One of which nothing can be used changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, assert_never

from streamasr.app.levels import LevelWatch
from streamasr.app.listening import stop_on_signals
from streamasr.app.live import Display
from streamasr.core.features import SAMPLE_RATE
from streamasr.core.graph import GraphModel
from streamasr.core.recognizer import Engine
from streamasr.edge.commands.actions import Order
from streamasr.edge.commands.actor import Actor, Plan, Report, read_plan
from streamasr.edge.commands.grammar import compile_sentences
from streamasr.edge.commands.listener import (
    DEFAULT_THRESHOLD,
    CommandListener,
    Guessed,
    Listening,
    Rejected,
    Understood,
    Woke,
)
from streamasr.edge.commands.listener import Heard as Told
from streamasr.edge.commands.sentences import Problem, read_sentences
from streamasr.edge.commands.wake import make_spotter, wake_name
from streamasr.edge.commands.wyoming import CommandService, serve_commands
from streamasr.edge.microphone import Heard, Item, Lost, Resumed, Stalled
from streamasr.edge.sources import RawFormat, open_source
from streamasr.errors import ConfigError, StreamasrError

LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the audio comes from."""

    microphone: str | None = None
    files: Sequence[str] = ()
    raw: RawFormat | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file of sentences, ready."""

    listening: Listening
    plan: Plan
    problems: Sequence[Problem]


def load(
    file: Path, graph: GraphModel, *, wake: str | None = None, threshold: float | None = None
) -> Loaded:
    """Read and compile a file; ``wake`` and ``threshold`` win over what it says of them.

    Raises ConfigError where nothing of it can be used, or what wakes and what is rejected
    cannot be told; BundleError for a word classifier that is none.
    """
    sentences = read_sentences(file)
    grammar = compile_sentences(sentences, graph)
    plan, wrong = read_plan(sentences)
    below = sentences.tables.get("reject", {}).get("below", DEFAULT_THRESHOLD)
    if type(below) not in (int, float) or not 0 <= below <= 1:
        raise ConfigError(f"{file}: reject.below lies in 0..1, got {below!r}")
    table = sentences.tables.get("wake", {})
    make_spotter(wake, table, graph, sentences)  # now, while somebody hears of what is wrong
    listening = Listening(
        grammar,
        float(below) if threshold is None else threshold,
        partial(make_spotter, wake, table, graph, sentences),
        wake_name(wake, table),
    )
    return Loaded(listening, plan, (*grammar.problems, *wrong))


class Commander:
    """One file of sentences, listened for."""

    def __init__(
        self,
        file: Path,
        engine: Engine,
        graph: GraphModel,
        display: Display,
        *,
        wake: str | None = None,
        threshold: float | None = None,
        partials: bool = False,
        is_acting: bool = True,
    ) -> None:
        self._file = file
        self._engine = engine
        self._load = partial(load, file, graph, wake=wake, threshold=threshold)
        self._display = display
        self._partials = partials
        self._is_acting = is_acting
        self._printing = threading.Lock()
        self._stamp = _stamp(file)
        self._loaded = self._load()
        self._show_problems(self._loaded.problems)
        self._actor: Actor | None = None

    @property
    def problems(self) -> Sequence[Problem]:
        """What is wrong with the file."""
        return self._loaded.problems

    def take_texts(self, texts: Iterable[str]) -> None:
        """Take sentences as if they had been said."""
        with self._acting():
            for text in texts:
                intent = self._loaded.listening.grammar.understand(" ".join(text.lower().split()))
                if intent is None:
                    self._print(Rejected(text, 0.0, 0, 0))
                else:
                    self._print(Understood(intent.name, intent.slots, text, 1.0, 0, 0))

    def serve(self, host: str, port: int) -> None:
        """Serve Wyoming until a signal comes."""
        with self._acting(), ThreadPoolExecutor(1, "reading") as reading:
            asyncio.run(self._serve(host, port, reading))

    async def _serve(self, host: str, port: int, reading: ThreadPoolExecutor) -> None:
        service = CommandService(self._engine, self._loaded.listening, self._act)
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        async with serve_commands(service, host, port) as bound:
            self._note(f"Wyoming on tcp://{host}:{bound}; Ctrl-C ends")
            fresh = self._changes(reading)
            while not stopped.is_set():
                if (loaded := next(fresh)) is not None:
                    service.listening = self._take_up(loaded)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), LOOK_S)

    def listen(self, sources: Sources) -> None:
        """Hear the files, or the microphone until it is stopped."""
        with self._acting() as stack:
            listener = stack.enter_context(self.listener())
            if sources.files:
                self._hear_files(listener, sources)
            else:
                self._hear_microphone(listener, sources.microphone)

    def listener(self) -> CommandListener:
        """What hears the sentences of the file."""
        now = self._loaded.listening
        return CommandListener(
            self._engine, now.grammar, threshold=now.threshold, spotter=now.new_spotter(),
            partials=self._partials,
        )  # fmt: skip

    def _acting(self) -> ExitStack:
        stack = ExitStack()
        if self._is_acting:
            self._actor = stack.enter_context(Actor(self._loaded.plan, self._report))
        return stack

    def _hear_files(self, listener: CommandListener, sources: Sources) -> None:
        for name in sources.files:
            with open_source(name, raw=sources.raw) as source:
                for block in source.blocks:
                    self._tell(listener.accept(block))
            self._tell(listener.flush())
        self._tell(listener.finish())

    def _hear_microphone(self, listener: CommandListener, selector: str | None) -> None:
        from streamasr.edge.microphone import Microphone
        from streamasr.edge.portaudio import libraries_apart

        with (
            libraries_apart(),
            Microphone(selector) as microphone,
            stop_on_signals(microphone.stop),
            ThreadPoolExecutor(1, "reading") as reading,
        ):
            self._display.note(f"listening to {microphone.device.name}; Ctrl-C ends")
            self.hear(listener, microphone.items(), reading)

    def hear(
        self, listener: CommandListener, items: Iterable[Item], reading: ThreadPoolExecutor
    ) -> None:
        """Hear a microphone's items, and read the file again when it changes."""
        levels = LevelWatch()
        fresh: Iterator[Loaded | None] = self._changes(reading)
        heard = 0
        for item in items:
            match item:
                case Heard(samples):
                    for note in levels.accept(samples):
                        self._display.note(note)
                    self._tell(listener.accept(samples))
                    heard += len(samples)
                case Lost(samples):
                    self._tell(listener.gap(samples))
                case Stalled(device):
                    self._tell(listener.flush())
                    self._display.note(f"{device} gives no audio; waiting for it to return")
                case Resumed(device):
                    self._display.note(f"listening again, to {device}")
                case _:
                    assert_never(item)
            if heard >= LOOK_S * SAMPLE_RATE:
                heard = 0
                if (loaded := next(fresh)) is not None:
                    now = self._take_up(loaded)
                    listener.change(now.grammar, threshold=now.threshold, spotter=now.new_spotter())
        self._tell(listener.finish())

    def _changes(self, reading: ThreadPoolExecutor) -> Iterator[Loaded | None]:
        """What became of the file, whenever it is asked for; None while it is as it was."""
        while True:
            stamp = _stamp(self._file)
            if stamp == self._stamp:
                yield None
                continue
            self._stamp = stamp
            coming: Future[Loaded] = reading.submit(self._load)
            while not coming.done():
                yield None
            try:
                yield coming.result()
            except StreamasrError as error:
                self._note(f"{error}; going on with the file from before")
                yield None

    def _take_up(self, loaded: Loaded) -> Listening:
        self._loaded = loaded
        self._show_problems(loaded.problems)
        if self._actor is not None:
            self._actor.change(loaded.plan)
        self._note(f"read {self._file} again")
        return loaded.listening

    def _tell(self, told: Iterable[Told]) -> None:
        for heard in told:
            self._print(heard)

    def _print(self, heard: Told) -> None:
        self._line(as_json(heard))
        if isinstance(heard, Understood):
            self._act(Order(heard.intent, heard.slots, heard.text, heard.confidence))

    def _act(self, order: Order) -> None:
        if self._actor is not None:
            self._actor.act(order)

    def _report(self, report: Report) -> None:
        """From the thread of the actions."""
        if report.error:
            self._line({"type": "failed", **asdict(report)})

    def _line(self, table: dict[str, Any]) -> None:
        with self._printing:
            self._display.line(json.dumps(table, ensure_ascii=False, default=str))

    def _note(self, text: str) -> None:
        with self._printing:
            self._display.note(text)

    def _show_problems(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._note(str(problem))


def as_json(heard: Told) -> dict[str, Any]:
    """What was heard as the table of a line."""
    match heard:
        case Woke(at, score):
            return {"type": "wake", "at_s": _seconds(at), "score": round(score, 3)}
        case Guessed(guess, text):
            return {
                "type": "partial", "intents": list(guess.names), "slots": dict(guess.slots),
                "text": text,
            }  # fmt: skip
        case Understood():
            return {
                "type": "intent", "intent": heard.intent, "slots": dict(heard.slots),
                "text": heard.text, "confidence": round(heard.confidence, 3),
                "start_s": _seconds(heard.start), "end_s": _seconds(heard.end),
            }  # fmt: skip
        case Rejected():
            return {
                "type": "rejected", "nearest": heard.text,
                "confidence": round(heard.confidence, 3),
                "start_s": _seconds(heard.start), "end_s": _seconds(heard.end),
            }  # fmt: skip
        case _:
            assert_never(heard)


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE, 3)


def _stamp(file: Path) -> tuple[int, int]:
    """What changes when a file does; editors replace files, so it may be away for a moment."""
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
