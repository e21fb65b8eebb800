from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamasr.core.dialects import Refused
from streamasr.core.dialects.deepgram_options import (
    ENCODINGS,
    KNOWN,
    POLISH,
    REFUSED,
    SILENT,
    read_options,
)


def query(**fields: str) -> dict[str, list[str]]:
    return {name: [value] for name, value in fields.items()}


@pytest.mark.parametrize(("name", "encoding"), ENCODINGS.items())
def test_every_encoding_has_a_door(name: str, encoding: str) -> None:
    start = read_options(query(encoding=name, sample_rate="24000")).listen.start
    assert (start.encoding, start.sample_rate) == (encoding, 24_000)


def test_without_an_encoding_the_header_tells() -> None:
    assert read_options({}).listen.start.encoding == "container"
    assert read_options(query(encoding="mulaw")).listen.start.sample_rate == 8000


@pytest.mark.parametrize(
    ("value", "endpoint_ms", "is_told"),
    [
        ("300", 300, False),
        ("10", 120, True),
        ("60000", 10_000, True),
        ("false", 10_000, False),
        ("true", None, False),
    ],
)
def test_endpointing_is_as_near_as_it_can_be(
    value: str, endpoint_ms: int | None, is_told: bool
) -> None:
    options = read_options(query(endpointing=value))
    assert options.listen.start.endpoint_ms == endpoint_ms
    assert bool(options.warnings) == is_told


def test_key_terms_and_keywords_are_hot_words() -> None:
    asked = {"keyterm": ["ada lovelace"], "keywords": ["zork:2.5", "plain", "never:-3"]}
    options = read_options(asked)
    hot = options.listen.start.hotwords
    assert [(word.text, word.boost) for word in hot or ()] == [
        ("ada lovelace", 6.0),
        ("zork", 7.5),
        ("plain", 6.0),
    ]
    assert options.warnings[0]["message"] == "keywords never cannot be suppressed"


@pytest.mark.parametrize("name", POLISH)
def test_polish_is_taken_and_told(name: str) -> None:
    assert [w["parameter"] for w in read_options(query(**{name: "true"})).warnings] == [name]
    assert not read_options(query(**{name: "false"})).warnings


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_change_the_answer_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=name):
        read_options(query(**{name: "true"}))
    assert not read_options(query(**{name: "false"})).warnings


def test_what_nobody_knows_is_told() -> None:
    assert read_options(query(colour="red")).warnings[0]["parameter"] == "colour"
    assert not any(read_options(query(**{name: ""})).warnings for name in SILENT)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from([*KNOWN, "extra"]), st.lists(st.text(), max_size=3)))
def test_no_query_does_anything_but_work_or_be_refused(fields: dict[str, list[str]]) -> None:
    try:
        options = read_options(fields)
    except Refused:
        return
    assert 1 <= options.channels <= 8
