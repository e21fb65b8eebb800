from __future__ import annotations

import asyncio
import json
import queue
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from streamasr.edge.commands.actions import Order
from streamasr.edge.commands.actor import MOST, Actor, Plan, Report, read_plan
from streamasr.edge.commands.broker import BrokerSettings
from streamasr.edge.commands.sentences import read_sentences
from tests.edge.commands.conftest import Mosquitto, WebServer, free_port, needs_mosquitto
from tests.edge.commands.test_broker import messages

ORDER = Order("On", {"name": "lamp"}, "lamp on", 0.9)


def plan(folder: Path, text: str) -> Plan:
    file = folder / "home.toml"
    file.write_text(f'[intents.On]\nsentences = ["lamp on"]\n{text}')
    found, problems = read_plan(read_sentences(file))
    assert not problems
    return found


def act(plan: Plan, count: int, *orders: Order) -> list[Report]:
    reports: queue.Queue[Report] = queue.Queue()
    with Actor(plan, reports.put) as actor:
        for order in orders or (ORDER,):
            actor.act(order)
        return [reports.get(timeout=30) for _ in range(count)]


def is_running(argument: str) -> bool:
    """Whether some process, however nearly dead, still has an argument with this in it."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            if argument.encode() in file.read_bytes():
                return True
    return False


def test_a_program_gets_the_order(tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'w').write(sys.argv[2] + sys.stdin.read())"
    program = json.dumps([sys.executable, "-c", code, str(tmp_path / "out"), "{name}; $HOME"])
    (report,) = act(plan(tmp_path, f"actions = [{{program = {program}}}]"), 1)
    assert not report.error
    text = (tmp_path / "out").read_text()
    assert text == "lamp; $HOME" + json.dumps(ORDER.table())


def test_each_failure_is_reported_and_the_others_are_carried_out(
    tmp_path: Path, web: WebServer
) -> None:
    web.status = 500
    nap = f"{time.time():.6f}"  # seconds; nobody else sleeps so long
    programs = [
        (["/no/such/program"], 10),
        (["sh", "-c", "echo ouch >&2; exit 3"], 10),
        (["sh", "-c", f"sleep {nap} & wait"], 0.5),
    ]
    actions = [f"{{program = {json.dumps(p)}, timeout_s = {limit}}}" for p, limit in programs]
    actions += [
        f'{{webhook = "{web.url}/x"}}',
        f'{{webhook = "http://127.0.0.1:{free_port()}/x"}}',
        '{webhook = "http://127.0.0.1:1/{room}"}',
        f"{{program = {json.dumps(['true'])}}}",
    ]
    found = act(plan(tmp_path, f"actions = [{', '.join(actions)}]"), len(actions))
    errors = {report.action: report.error for report in found}
    assert errors["program /no/such/program"].startswith("cannot start /no/such/program: No such")
    told = [r.error for r in found if r.action == "program sh"]
    assert sorted(told) == ["it ended with 3: ouch", "it took more than 0.5 s"]
    assert errors[f"POST {web.url}/x"] == "the answer was 500 Internal Server Error"
    assert any("no answer: " in error for error in errors.values())
    assert any("needs the slot room" in error for error in errors.values())
    assert errors["program true"] == ""
    patience = time.monotonic() + 10  # a child that was killed is there until it is reaped
    while is_running(nap) and time.monotonic() < patience:
        time.sleep(0.01)
    assert not is_running(nap)


def test_a_webhook_gets_the_order(tmp_path: Path, web: WebServer) -> None:
    (report,) = act(plan(tmp_path, f'actions = [{{webhook = "{web.url}/{{name}}"}}]'), 1)
    assert not report.error
    ((method, path, headers, body),) = web.asked
    assert (method, path, body) == ("POST", "/lamp", ORDER.table())
    assert headers["content-type"] == "application/json"


def test_home_assistant_is_asked_with_the_token(tmp_path: Path, web: WebServer) -> None:
    (tmp_path / "token").write_text("abc\n")
    found = plan(
        tmp_path,
        'actions = [{home_assistant = "light.turn_on", data = {entity_id = "{name}"}}]\n'
        f'[home_assistant]\nurl = "{web.url}/"\ntoken_file = "token"\n',
    )
    assert not act(found, 1)[0].error
    ((_, path, headers, body),) = web.asked
    assert (path, body) == ("/api/services/light/turn_on", {"entity_id": "lamp"})
    assert headers["authorization"] == "Bearer abc"


def test_home_assistant_says_that_it_did_not_understand(tmp_path: Path, web: WebServer) -> None:
    speech = {"plain": {"speech": "no such lamp"}}
    web.answer = {"response": {"response_type": "error", "speech": speech}}
    found = plan(
        tmp_path,
        f'actions = [{{home_assistant = "conversation"}}]\n[home_assistant]\nurl = "{web.url}"\n',
    )
    assert act(found, 1)[0].error == "Home Assistant says: no such lamp"


@needs_mosquitto
def test_messages_reach_a_broker_and_stay(tmp_path: Path, mosquitto: Mosquitto) -> None:
    found = plan(
        tmp_path,
        'actions = [{mqtt = "home/{name}/set", payload = "on", retain = true, qos = 1}]\n'
        f"[mqtt]\nport = {mosquitto.port}\n",
    )
    reports = act(found, 2)
    assert {report.action: report.error for report in reports} == {
        "mqtt home/{name}/set": "", "mqtt event": "",
    }  # fmt: skip
    kept = asyncio.run(messages(mosquitto.port, "home/lamp/set", 1))
    assert kept["home/lamp/set"].payload == b"on"


@needs_mosquitto
def test_what_is_left_undone_at_the_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamasr.edge.commands.actor.STOP_S", 0.3)
    text = f'actions = [{{mqtt = "x"}}]\n[mqtt]\nhost = "127.0.0.1"\nport = {free_port()}'
    reports: list[Report] = []
    with Actor(plan(tmp_path, text), reports.append) as actor:
        actor.act(ORDER)
    assert {report.action for report in reports} == {"mqtt x", "mqtt event"}
    assert all("left undone" in report.error for report in reports)


def test_another_plan_holds_from_then_on(tmp_path: Path, mosquitto: Mosquitto) -> None:
    reports: queue.Queue[Report] = queue.Queue()
    with Actor(Plan(), reports.put) as actor:
        actor.act(ORDER)  # nothing follows
        actor.change(Plan(broker=BrokerSettings(port=mosquitto.port), intents=["On"]))
        actor.act(ORDER)
        assert reports.get(timeout=30) == Report("On", "mqtt event")


def test_too_many_at_a_time_are_refused(tmp_path: Path) -> None:
    found = plan(tmp_path, 'actions = [{program = ["sleep", "1"]}]')
    reports = act(found, MOST + 1, *[ORDER] * (MOST + 1))
    assert reports[0].error == f"{MOST} actions are running already"
    assert all(not report.error for report in reports[1:])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('actions = [{program = "rm"}]', "an action of On: a program is a list"),
        ("actions = [{home_assistant = 'conversation'}]", "need [home_assistant]"),
        ("[home_assistant]\nurl = 'x'", "'x' is no address"),
        ("[home_assistant]\ncolour = 'x'", "home_assistant: unknown: colour"),
        ("[home_assistant]\ntoken_file = 'none'", "holds no secret"),
        ("[mqtt]\nport = 'x'", "mqtt: port cannot be 'x'"),
    ],
)
def test_what_is_wrong_with_actions_is_told(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "home.toml"
    file.write_text(f'[intents.On]\nsentences = ["lamp on"]\n{text}\n')
    _, (problem, *_) = read_plan(read_sentences(file))
    assert complaint in str(problem)
