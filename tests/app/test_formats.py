import io
import json

import pytest

from streamasr.app.formats import Format, writer_for
from streamasr.core.cues import CUE_CHARS, cues
from streamasr.core.events import Final, Word

RATE = 16_000


def final(text: str, start_s: float = 1.0, word_s: float = 0.5) -> Final:
    """A final whose words follow each other without pauses."""
    words = tuple(
        Word(
            word,
            round((start_s + i * word_s) * RATE),
            round((start_s + (i + 1) * word_s) * RATE),
            0.9,
        )
        for i, word in enumerate(text.split())
    )
    return Final(0, text, round(start_s * RATE), words[-1].end, words, 0.87654321, "silence")


def write(form: Format, *finals: Final, titled: bool = False, samples: int = 160_000) -> str:
    out = io.StringIO()
    writer = writer_for(form, out)
    writer.begin("talk.flac", titled=titled)
    for item in finals:
        writer.segment(item)
    writer.end(samples=samples, compute_s=0.5)
    return out.getvalue()


def test_text_is_one_utterance_a_line() -> None:
    assert write(Format.TEXT, final("hello world"), final("again")) == "hello world\nagain\n"


def test_texts_of_several_files_have_titles() -> None:
    assert write(Format.TEXT, final("hello"), titled=True) == "==> talk.flac <==\nhello\n"


def test_json_is_one_line_with_exactly_the_promised_fields() -> None:
    line = write(Format.JSON, final("héllo world"))
    assert line.count("\n") == 1
    assert "é" in line
    assert json.loads(line) == {
        "file": "talk.flac",
        "duration_s": 10.0,
        "text": "héllo world",
        "segments": [
            {
                "start_s": 1.0,
                "end_s": 2.0,
                "text": "héllo world",
                "confidence": 0.8765,
                "words": [
                    {"word": "héllo", "start_s": 1.0, "end_s": 1.5, "confidence": 0.9},
                    {"word": "world", "start_s": 1.5, "end_s": 2.0, "confidence": 0.9},
                ],
            }
        ],
        "rtf": 0.05,
    }


def test_json_of_no_speech_has_empty_text() -> None:
    record = json.loads(write(Format.JSON, samples=0))
    assert (record["text"], record["segments"], record["rtf"]) == ("", [], 0.0)


def test_a_writer_forgets_the_file_before() -> None:
    out = io.StringIO()
    writer = writer_for(Format.JSON, out)
    for name in ("a", "b"):
        writer.begin(name)
        writer.segment(final(name))
        writer.end(samples=16_000, compute_s=0.0)
    assert [json.loads(line)["text"] for line in out.getvalue().splitlines()] == ["a", "b"]


def test_srt_numbers_its_cues_and_writes_commas() -> None:
    assert write(Format.SRT, final("hello world"), final("again", start_s=3661.5)) == (
        "1\n00:00:01,000 --> 00:00:02,000\nhello world\n\n"
        "2\n01:01:01,500 --> 01:01:02,000\nagain\n\n"
    )


def test_vtt_has_its_header_and_escapes_markup() -> None:
    assert write(Format.VTT, final("a<b & c")) == (
        "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.500\na&lt;b &amp; c\n\n"
    )


@pytest.mark.parametrize("word_s", [0.1, 0.3, 2.0], ids=["fast", "usual", "slow"])
def test_long_utterances_are_cut_between_words_into_readable_cues(word_s: float) -> None:
    text = " ".join(f"word{i}" for i in range(60))
    made = list(cues(final(text, word_s=word_s)))
    assert " ".join(cue.text for cue in made) == text
    assert len(made) > 1
    for cue in made:
        assert len(cue.text) <= CUE_CHARS
        assert cue.end - cue.start <= 7.0 * RATE


def test_a_word_longer_than_a_cue_stands_alone() -> None:
    monster = "x" * 200
    assert [cue.text for cue in cues(final(f"a {monster} b"))] == ["a", monster, "b"]


def test_a_final_without_words_is_one_cue() -> None:
    bare = Final(0, "hello", 0, 8000, (), 1.0, "finish")
    assert [(cue.start, cue.end, cue.text) for cue in cues(bare)] == [(0, 8000, "hello")]


def test_cues_never_overlap_nor_last_nothing() -> None:
    first = Final(0, "one", 0, 32_000, (), 1.0, "finish")
    second = Final(1, "two", 16_000, 16_000, (), 1.0, "finish")
    times = [line for line in write(Format.SRT, first, second).splitlines() if "-->" in line]
    assert times == ["00:00:00,000 --> 00:00:02,000", "00:00:02,000 --> 00:00:02,001"]


def test_lines_of_a_cue_are_short() -> None:
    body = write(Format.SRT, final("many words " * 7, word_s=0.2)).splitlines()
    assert max(len(line) for line in body) <= 42


@pytest.mark.parametrize("form", list(Format))
def test_each_format_has_a_suffix_for_files(form: Format) -> None:
    assert form.suffix == {"text": ".txt"}.get(form.value, f".{form.value}")
