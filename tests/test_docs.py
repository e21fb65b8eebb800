"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from streamasr.core.audio import ENCODINGS
from streamasr.core.dialects import (
    deepgram_options,
    openai_files,
    openai_realtime_config,
    vosk,
)
from streamasr.core.hotwords import MOST
from streamasr.core.messages import CLIENT_TYPES, ERRORS, REASONS, SERVER_TYPES, VERSIONS, Limits
from streamasr.core.protocol import CHECKS, FIELDS, decode_client, decode_server
from streamasr.edge import uploads
from streamasr.edge.entrances import ENTRANCES
from streamasr.edge.settings import Setting, load, table

ROOT = Path(__file__).parents[1]
PROTOCOL = (ROOT / "docs" / "PROTOCOL.md").read_text()
DIALECTS = (ROOT / "docs" / "DIALECTS.md").read_text()
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


def test_the_exposure_that_is_promised_is_the_one_that_is_checked() -> None:
    (most,) = re.findall(r"^most=(\d+)", (ROOT / "scripts" / "check-units").read_text(), re.M)
    (promised,) = re.findall(r"`systemd-analyze security`: ([\d.]+)", OPERATIONS)
    assert float(promised) <= int(most) / 10 <= 2.0


def test_every_entrance_stands_in_the_manual_of_dialects() -> None:
    for entrance in ENTRANCES:
        assert f"`ws://HOST:2700{entrance.path}`" in DIALECTS


@pytest.mark.parametrize(
    "name",
    [*deepgram_options.KNOWN, *deepgram_options.POLISH, *deepgram_options.REFUSED,
     *deepgram_options.SILENT, *deepgram_options.ENCODINGS, *openai_files.FORMATS,
     *openai_files.IDLE, *openai_realtime_config.GA_FORMATS, *vosk.SETTINGS],
)  # fmt: skip
def test_every_option_of_a_dialect_is_explained(name: str) -> None:
    assert f"`{name}`" in DIALECTS


def test_the_limits_of_dialects_are_those_of_the_code() -> None:
    low, high = deepgram_options.ENDPOINTING_MS
    assert f"{low} to {high} ms" in DIALECTS
    assert f"up to {deepgram_options.MOST_APART} recognised" in DIALECTS
    assert f"up to {uploads.MOST_BYTES >> 20} MB" in DIALECTS
    assert f"up to {MOST} hot words" in DIALECTS
    (silence, prefix) = openai_realtime_config.SILENCE_MS, openai_realtime_config.PREFIX_MS
    assert f"{silence[0]} to {silence[1]}, {prefix[0]} to {prefix[1]}" in DIALECTS
