"""Carries out actions beside the listening, which never waits for them.

    with Actor(plan, report) as actor:
        actor.act(order)            # comes back at once; `report` tells how each action went

One thread with an event loop of its own. An action has its time limit, a program that hangs
is killed, and no more than `MOST` run at a time: further ones are reported as failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from streamasr.edge.commands.actions import (
    TIMEOUT_S,
    Action,
    ActionError,
    HomeAssistantAction,
    HttpAction,
    MqttAction,
    Order,
    ProgramAction,
    check_url,
    read_action,
)
from streamasr.edge.commands.broker import Broker, BrokerSettings, read_secret
from streamasr.edge.commands.sentences import Problem, Sentences
from streamasr.errors import ConfigError

log = logging.getLogger(__name__)

MOST = 16
STOP_S = 5.0
MOST_SAID = 200
"""Letters of a program's complaint that are told."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which actions follow which intent, and whom they talk to."""

    actions: Mapping[str, Sequence[Action]] = field(default_factory=dict)
    """By intent; those of every intent under the empty name."""
    intents: Sequence[str] = ()
    broker: BrokerSettings | None = None
    home_assistant: tuple[str, str] | None = None
    """Address and token."""

    def of(self, intent: str) -> list[Action]:
        return [*self.actions.get("", ()), *self.actions.get(intent, ())]


@dataclass(frozen=True, slots=True)
class Report:
    """How an action went."""

    intent: str
    action: str
    error: str = ""
    """Empty where it went well."""


def read_plan(sentences: Sentences) -> tuple[Plan, list[Problem]]:
    """The actions of a file of sentences, and what is wrong with the others."""
    problems: list[Problem] = []
    actions: dict[str, list[Action]] = {}

    def complain(text: str) -> None:
        problems.append(Problem(str(sentences.file), 1, text))

    for intent, tables in sentences.actions.items():
        for table in tables:
            try:
                actions.setdefault(intent, []).append(read_action(table))
            except ConfigError as error:
                complain(f"an action of {intent or 'all intents'}: {error}")
    folder = sentences.file.parent
    broker = home_assistant = None
    try:
        if "mqtt" in sentences.tables:
            broker = BrokerSettings.read(sentences.tables["mqtt"], folder)
        if "home_assistant" in sentences.tables:
            home_assistant = _home_assistant(sentences.tables["home_assistant"], folder)
    except ConfigError as error:
        complain(str(error))
    every = [action for several in actions.values() for action in several]
    if broker is None and any(isinstance(action, MqttAction) for action in every):
        broker = BrokerSettings()
    if home_assistant is None and any(isinstance(a, HomeAssistantAction) for a in every):
        complain('actions of Home Assistant need [home_assistant] with "url" and "token_file"')
    intents = sorted({block.intent for block in sentences.blocks})
    return Plan(actions, intents, broker, home_assistant), problems


def _home_assistant(table: Mapping[str, Any], folder: Path) -> tuple[str, str]:
    unknown = set(table) - {"url", "token", "token_file"}
    if unknown:
        raise ConfigError(f"home_assistant: unknown: {', '.join(sorted(unknown))}")
    url = table.get("url", "http://homeassistant.local:8123")
    check_url(url)
    token = table.get("token", "")
    if "token_file" in table:
        token = read_secret(folder / str(table["token_file"]))
    return str(url).rstrip("/"), str(token)


class Actor:
    """Acts in a thread of its own; entering starts it, leaving waits for what has begun."""

    def __init__(self, plan: Plan, report: Callable[[Report], None]) -> None:
        self._plan = plan
        self._report = report
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="actions", daemon=True)
        self._threads = ThreadPoolExecutor(MOST, "program")
        self._running: set[asyncio.Task[None]] = set()
        self._broker: Broker | None = None
        self._connection: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._connect(self._plan), self._loop).result()
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._threads.shutdown(wait=False)

    def act(self, order: Order) -> None:
        """Start the actions of an order."""
        self._loop.call_soon_threadsafe(self._start, order)

    def change(self, plan: Plan) -> None:
        """Act by another plan from now on."""
        asyncio.run_coroutine_threadsafe(self._connect(plan), self._loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _connect(self, plan: Plan) -> None:
        before, self._plan = self._plan, plan
        is_same = (before.broker, before.intents) == (plan.broker, plan.intents)
        if self._connection is not None:
            if is_same:
                return
            await _cancel(self._connection)
        self._broker = self._connection = None
        if plan.broker is not None:
            self._broker = Broker(plan.broker, plan.intents)
            self._connection = asyncio.create_task(self._broker.run())

    async def _stop(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_S)
        for task in [*self._running, *([self._connection] if self._connection else [])]:
            await _cancel(task)

    def _start(self, order: Order) -> None:
        actions: list[Action | Broker] = list(self._plan.of(order.intent))
        if self._broker is not None:
            actions.append(self._broker)
        for action in actions:
            name = "mqtt event" if isinstance(action, Broker) else action.name
            if len(self._running) >= MOST:
                self._report(Report(order.intent, name, f"{MOST} actions are running already"))
                continue
            task = self._loop.create_task(self._carry_out(action, name, order))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _carry_out(self, action: Action | Broker, name: str, order: Order) -> None:
        limit_s = TIMEOUT_S if isinstance(action, Broker) else action.timeout_s
        is_program = isinstance(action, ProgramAction)  # which is limited where it is run
        error = ""
        try:
            async with asyncio.timeout(None if is_program else limit_s):
                await self._do(action, order)
        except TimeoutError:
            error = f"it took more than {limit_s:g} s"
        except asyncio.CancelledError:
            self._report(Report(order.intent, name, "left undone: the listening ended before"))
            raise
        except ActionError as failure:
            error = str(failure)
        except Exception as failure:  # one action's failure must not end the others
            log.debug("an action failed", exc_info=True)
            error = f"{type(failure).__name__}: {failure}"
        self._report(Report(order.intent, name, error))

    async def _do(self, action: Action | Broker, order: Order) -> None:
        match action:
            case Broker():
                await action.tell_intent(order)
            case MqttAction():
                assert self._broker is not None, "a plan with such an action has a broker"
                topic, payload = action.message(order)
                await self._broker.publish(topic, payload, retain=action.retain, qos=action.qos)
            case HttpAction():
                await ask(*action.request(order))
            case HomeAssistantAction():
                await self._ask_home_assistant(action, order)
            case ProgramAction():
                text = json.dumps(order.table())
                call = partial(run_program, action.command(order), text, action.timeout_s)
                await self._loop.run_in_executor(self._threads, call)

    async def _ask_home_assistant(self, action: HomeAssistantAction, order: Order) -> None:
        if self._plan.home_assistant is None:
            raise ActionError("the file has no [home_assistant]")
        url, token = self._plan.home_assistant
        path, body = action.request(order)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await ask("POST", url + path, body, headers)
        response = answer.get("response") if isinstance(answer, dict) else None
        if isinstance(response, dict) and response.get("response_type") == "error":
            speech = response.get("speech", {}).get("plain", {}).get("speech", "")
            raise ActionError(f"Home Assistant says: {speech[:MOST_SAID] or 'error'}")


async def ask(method: str, url: str, body: Any, headers: Mapping[str, str]) -> Any:
    """Call an address with JSON; the answer as JSON, or None. Raises ActionError."""
    import httpx

    content = None if method == "GET" else json.dumps(body, default=str)
    send = {"Content-Type": "application/json", **headers}
    try:
        async with httpx.AsyncClient(timeout=None) as client:
            answer = await client.request(method, url, content=content, headers=send)
    except httpx.HTTPError as error:
        raise ActionError(f"no answer: {error or type(error).__name__}") from None
    if answer.status_code >= 400:
        raise ActionError(f"the answer was {answer.status_code} {answer.reason_phrase}")
    try:
        return answer.json()
    except ValueError:
        return None


def run_program(command: Sequence[str], text: str, timeout_s: float) -> None:
    """Run a program to its end, or kill it with all that it started.

    Raises ActionError where it fails, TimeoutError where it hangs.
    """
    with tempfile.TemporaryFile() as complaints:  # a pipe would wait for what it started
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                start_new_session=True,
            )
        except OSError as error:
            raise ActionError(f"cannot start {command[0]}: {error.strerror}") from None
        try:
            process.communicate(text.encode(), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise TimeoutError from None
        finally:
            if process.stdin is not None:
                process.stdin.close()
        if process.returncode:
            complaints.seek(0)
            said = complaints.read(4096).decode(errors="replace").strip().splitlines()
            last = f": {said[-1][:MOST_SAID]}" if said else ""
            raise ActionError(f"it ended with {process.returncode}{last}")


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
