from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe

from streamasr.app.cli import run
from streamasr.app.commanding import Commander
from streamasr.app.live import Display
from streamasr.app.mixing import read_clip
from streamasr.core.recognizer import Engine
from streamasr.edge.commands.actor import read_plan
from streamasr.edge.commands.grammar import compile_sentences
from streamasr.edge.commands.sentences import read_sentences
from streamasr.edge.engines import open_engine
from streamasr.edge.microphone import Heard, Item, Lost, Resumed, Stalled
from tests.conftest import DATA
from tests.graphs import toy_model

ORDER = DATA / "orders" / "order-1aa31732.flac"
COFFEE = """
[lists]
drink = ["coffee", "latte", "mocha", "tea"]
[intents.Order]
sentences = ["(give me|make me|i want|can i get) (a|an) (small|eight ounce|twelve ounce) {drink}"]
"""


@pytest.fixture(scope="module")
def engine(spoken_bundle: Path) -> Engine:
    return open_engine(spoken_bundle, device="cpu", decoder="graph")


def write(folder: Path, text: str = COFFEE) -> Path:
    file = folder / "home.toml"
    file.write_text(text)
    return file


def command(*args: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        run(["command", *args])
    return int(leaving.value.code or 0)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_spoken_order_starts_a_program(
    tmp_path: Path, spoken_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"
    program = json.dumps([sys.executable, "-c", code, str(tmp_path / "out"), "{drink}"])
    file = write(tmp_path, COFFEE + f"actions = [{{program = {program}}}, {{program = ['/no']}}]\n")
    assert command(str(file), "--audio", str(ORDER), "--model", str(spoken_bundle)) == 0
    order, failed = lines(capsys.readouterr().out)
    assert (order["type"], order["intent"], order["slots"]) == (
        "intent", "Order", {"drink": "coffee"},
    )  # fmt: skip
    assert failed["type"] == "failed"
    assert failed["action"] == "program /no"
    assert (tmp_path / "out").read_text() == "coffee"


def test_a_dry_run_does_nothing(
    tmp_path: Path, spoken_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, COFFEE + "actions = [{program = ['touch', 'made']}]\n")
    model = ("--model", str(spoken_bundle))
    assert command(str(file), "--dry-run", "--text", "make me a small tea", *model) == 0
    (order,) = lines(capsys.readouterr().out)
    assert order["slots"] == {"drink": "tea"}
    assert not Path("made").exists()


def test_a_file_can_be_checked(
    tmp_path: Path, spoken_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ("--model", str(spoken_bundle))
    assert command(str(write(tmp_path)), "--check", *model) == 0
    file = write(tmp_path, COFFEE + "actions = [{program = 'rm'}]\n[intents.B]\nsentences=['(']\n")
    assert command(str(file), "--check", *model) == 1
    told = capsys.readouterr().err
    assert f"{file}:8: cannot read '('" in told
    assert "a program is a list of arguments" in told
    file.write_text("a = = b")
    assert command(str(file), *model) == 2
    assert f"{file}:1: " in capsys.readouterr().err


def test_a_model_without_a_lexicon_is_refused(
    tmp_path: Path, plain_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(str(write(tmp_path)), "--model", str(plain_bundle)) != 0
    assert "language model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "complaint"),
    [("[wake]\nphrase = 'on'", "too short"), ("[reject]\nbelow = 2", "reject.below lies in 0..1")],
)
def test_what_cannot_be_is_refused(
    table: str,
    complaint: str,
    tmp_path: Path,
    spoken_bundle: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(str(write(tmp_path, COFFEE + table)), "--model", str(spoken_bundle)) == 2
    assert complaint in capsys.readouterr().err


def test_the_file_is_read_again_while_it_listens(tmp_path: Path, engine: Engine) -> None:
    file = write(tmp_path)
    out, err = io.StringIO(), io.StringIO()
    assert engine.facts.graph is not None
    commander = Commander(file, engine, engine.facts.graph, Display(out, err), is_acting=False)
    order = read_clip(ORDER)

    def items() -> Iterator[Item]:
        second = np.zeros(16_000, np.float32)
        yield Heard(order)
        yield Lost(16_000)
        yield Stalled("it")
        yield Resumed("it")
        file.write_text("intents = = nothing")
        while "going on with the file from before" not in err.getvalue():
            yield Heard(second)
        yield Heard(order)
        write(tmp_path, COFFEE.replace("intents.Order", "intents.Brew"))
        while f"read {file} again" not in err.getvalue():
            yield Heard(second)
        yield Heard(order)

    with (
        commander.listener() as listener,
        ThreadPoolExecutor(1) as reading,
    ):
        commander.hear(listener, items(), reading)
    found = [line["intent"] for line in lines(out.getvalue()) if line["type"] == "intent"]
    assert found == ["Order", "Order", "Brew"]
    assert f"{file}:1: Invalid value" in err.getvalue()
    assert "it gives no audio" in err.getvalue()


def test_what_wakes_and_what_is_rejected_are_read_again(tmp_path: Path, engine: Engine) -> None:
    file = write(tmp_path)
    out, err = io.StringIO(), io.StringIO()
    assert engine.facts.graph is not None
    commander = Commander(file, engine, engine.facts.graph, Display(out, err), is_acting=False)
    order = read_clip(ORDER)

    def rewritten(text: str, note: str) -> Iterator[Item]:
        before = err.getvalue().count(note)
        write(tmp_path, COFFEE + text)
        while err.getvalue().count(note) == before:
            yield Heard(np.zeros(16_000, np.float32))
        yield Heard(order)
        yield Heard(np.zeros(16_000, np.float32))

    def items() -> Iterator[Item]:
        yield Heard(order)
        yield from rewritten("[reject]\nbelow = 1.0", "again")
        yield from rewritten("[wake]\nphrase = 'hey computer'", "again")
        yield from rewritten("[wake]\nphrase = 'on'", "from before")
        yield from rewritten("[wake]\nmodel = 'none'", "from before")
        yield from rewritten("[reject]\nbelow = 0.4", "again")

    with commander.listener() as listener, ThreadPoolExecutor(1) as reading:
        commander.hear(listener, items(), reading)
    assert [line["type"] for line in lines(out.getvalue())] == ["intent", "rejected", "intent"]
    assert "too short" in err.getvalue()
    assert "no model named 'none'" in err.getvalue()


async def test_wyoming_is_served_until_a_signal_comes(tmp_path: Path, spoken_bundle: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamasr", "command", str(write(tmp_path)), "--wyoming", "0",
        "--model", str(spoken_bundle), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    async with asyncio.timeout(50):
        while b"Wyoming on tcp://127.0.0.1:" not in (line := await process.stderr.readline()):
            assert line
        port = int(line.partition(b"127.0.0.1:")[2].partition(b";")[0])
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Describe().event())
            assert await client.read_event() is not None
        process.terminate()
        assert await process.wait() == 0


@pytest.mark.parametrize("where", ["x", "0.0.0.0:10400", "70000"])
def test_where_wyoming_cannot_be_served(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(str(write(tmp_path)), "--wyoming", where) == 2
    assert "is no port" in (told := capsys.readouterr().err) or "--insecure" in told


def test_the_examples_of_the_document_are_right(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "COMMANDS.md").read_text()
    examples = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "token").write_text("x")
    for example in examples:
        whole = example if "[intents" in example else f"intents.A = ['a']\n{example}"
        sentences = read_sentences(write(tmp_path, whole))
        assert not sentences.problems
        assert not read_plan(sentences)[1]
    said = json.loads(re.findall(r"^```json\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0])
    base = replace(toy_model(), pronounce=Every())
    grammar = compile_sentences(read_sentences(write(tmp_path, examples[0])), base)
    found = grammar.understand(said["text"])
    assert found is not None
    assert (found.name, found.slots) == (said["intent"], said["slots"])


class Every:
    """Says every word somehow."""

    def __call__(self, words: Sequence[str]) -> dict[str, list[tuple[str, ...]]]:
        return {word: [("AA",)] for word in words}


def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in list(sys.modules):
        if module.startswith(("streamasr.app.commanding", "streamasr.edge.commands.")):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "hassil.expression", None)
    assert command(str(tmp_path / "home.toml")) == 1
    assert "'hassil.expression'" in (said := capsys.readouterr().err)
    assert "streamasr[home]" in said
