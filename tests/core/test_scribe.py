from __future__ import annotations

import pytest

from streamasr.core.events import EndReason, Final, Word
from streamasr.core.punctuation.punctuator import Punctuator
from streamasr.core.scribe import Scribe, as_written
from streamasr.edge.punctuation import OnnxNetwork, find
from tests.core.punctuation.networks import WildNetwork


@pytest.fixture(scope="module")
def shipped() -> Punctuator:
    return Punctuator(OnnxNetwork(find()))


def final(text: str, reason: EndReason = "silence", *, with_words: bool = True) -> Final:
    words = tuple(
        Word(word, 1600 * at, 1600 * (at + 1), 0.9) for at, word in enumerate(text.split())
    )
    return Final(0, text, 0, 99_999, words if with_words else (), 0.9, reason)


def test_a_question_becomes_one_and_what_was_recognised_stays(shipped: Punctuator) -> None:
    heard = final("where are you going")
    told = Scribe(shipped).write(heard)
    assert told.written == "Where are you going?"
    assert [word.written for word in told.words] == ["Where", "are", "you", "going?"]
    assert told.text == heard.text
    assert [word.text for word in told.words] == heard.text.split()


def test_a_sentence_runs_on_into_the_next_final(shipped: Punctuator) -> None:
    scribe = Scribe(shipped)
    first = scribe.write(final("and when we came to the")).written
    second = scribe.write(final("end of the road we saw him", "finish")).written
    assert first[-1].isalpha(), "no sentence ends with an article"
    assert second.startswith("end of the road")
    assert second.endswith(".")


def test_the_next_stream_begins_a_sentence(shipped: Punctuator) -> None:
    Scribe(shipped).write(final("and when we came to the"))
    assert Scribe(shipped).write(final("end of the road")).written.startswith("End")


def test_i_is_a_capital(shipped: Punctuator) -> None:
    assert "I'm" in Scribe(shipped).write(final("he said i'm late")).written


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("reason", ["silence", "finish"])
def test_whatever_is_guessed_the_words_stay(seed: int, reason: EndReason) -> None:
    scribe = Scribe(Punctuator(WildNetwork(seed)))
    for text in ("so", "he and i went home at five", "yes that's it"):
        told = scribe.write(final(text, reason))
        assert [w.strip(",.?").lower() for w in told.written.split()] == text.split()
        assert " ".join(word.written for word in told.words) == told.written
        assert reason == "silence" or told.written[-1] in ".?"


def test_without_words_the_text_is_written_all_the_same(shipped: Punctuator) -> None:
    told = Scribe(shipped).write(final("where are you going", with_words=False))
    assert (told.written, told.words) == ("Where are you going?", ())


def test_as_written_puts_what_is_written_in_the_place_of_what_was_heard(
    shipped: Punctuator,
) -> None:
    told = Scribe(shipped).write(final("where are you going"))
    seen = as_written(told)
    assert seen.text == "Where are you going?"
    assert [word.text for word in seen.words] == ["Where", "are", "you", "going?"]
    plain = final("where are you going")
    assert as_written(plain) is plain
