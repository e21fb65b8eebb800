"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from streamasr.core.audio import ENCODINGS
from streamasr.core.messages import CLIENT_TYPES, ERRORS, REASONS, SERVER_TYPES, VERSIONS, Limits
from streamasr.core.protocol import CHECKS, FIELDS, decode_client, decode_server
from streamasr.edge.settings import Setting, load, table

ROOT = Path(__file__).parents[1]
PROTOCOL = (ROOT / "docs" / "PROTOCOL.md").read_text()
OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text()
UNIT = (ROOT / "systemd" / "streamasr.service").read_text()


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


EXAMPLES = fenced(PROTOCOL, "json")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_protocol_is_decoded_by_the_codec(example: str) -> None:
    body = json.loads(example)
    if body["type"] in CLIENT_TYPES:
        decode_client(example)
        known = set(CHECKS[CLIENT_TYPES[body["type"]]]) | {"version"}
    else:
        decode_server(example)
        known = set(FIELDS[SERVER_TYPES[body["type"]]])
    assert set(body) - {"type"} <= known


def test_every_message_has_an_example() -> None:
    assert {json.loads(example)["type"] for example in EXAMPLES} == {*CLIENT_TYPES, *SERVER_TYPES}


def test_every_field_is_explained() -> None:
    names = {name for cls in SERVER_TYPES.values() for name in FIELDS[cls]} - {"limits"}
    names |= {name for checks in CHECKS.values() for name in checks} | {"version"}
    names |= {f"limits.{field.name}" for field in fields(Limits)}
    missing = {name for name in names if f"`{name}`" not in PROTOCOL}
    assert not missing


def test_every_error_and_reason_stands_with_its_close_code() -> None:
    for name, (code, _) in {**ERRORS, **REASONS}.items():
        assert f"| `{name}` | {code} |" in PROTOCOL


def test_encodings_and_versions_are_listed() -> None:
    assert all(f"`{encoding}`" in PROTOCOL for encoding in (*ENCODINGS, "wav"))
    assert f"version {VERSIONS[-1]}" in PROTOCOL.splitlines()[0]


@pytest.mark.parametrize("setting", list(table()), ids=lambda setting: setting.name)
def test_every_setting_is_explained(setting: Setting) -> None:
    (row,) = re.findall(rf"^\| `{setting.name}` \| (.*?) \| (.*?) \|$", OPERATIONS, re.MULTILINE)
    default, meaning = row
    assert setting.help in meaning
    assert default == shown(setting.default)


def shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    return str(default) if default != () and default != "" else "none"


def test_the_example_of_a_settings_file_is_one(tmp_path: Path) -> None:
    for number, example in enumerate(fenced(OPERATIONS, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(example)
        assert load(path=path) != load()


def test_every_flag_of_serve_is_in_the_operations_manual() -> None:
    import inspect

    from streamasr.app.commands.serve import serve

    for name in inspect.signature(serve).parameters:
        assert f"--{name.replace('_', '-')}" in OPERATIONS


def test_systemd_waits_longer_than_the_drain() -> None:
    (timeout,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert load().limits.drain_s < int(timeout) <= load().limits.drain_s + 10
