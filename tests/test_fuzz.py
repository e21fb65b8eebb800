"""Bytes that nobody meant to send: every parser answers them, or refuses in its own words."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamasr.errors import StreamasrError
from tests.parsers import CUT, PARSERS, SEEDS

TWISTS = 150
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=80, deadline=None)
@given(data=st.binary(max_size=400))
def test_noise_is_refused_in_our_own_words(name: str, data: bytes) -> None:
    with suppress(StreamasrError):
        PARSERS[name](data)


@pytest.mark.parametrize("name", SEEDS)
def test_what_is_almost_right_is_refused_in_our_own_words(name: str) -> None:
    """Good input, cut short, doubled, with bytes and numbers changed."""
    rng = random.Random(name)
    for seed in SEEDS[name]:
        if name != "ogg opus":  # a stream that has a beginning alone
            PARSERS[name](seed)
        for length in range(len(seed)):
            attempt(name, seed[:length])
        for _ in range(TWISTS):
            attempt(name, twisted(seed, rng))


def test_a_model_of_sizes_that_none_has_is_refused_in_our_own_words() -> None:
    with pytest.raises(StreamasrError, match="ARPA"):
        PARSERS["arpa"](b"\\data\\\nngram 1=99999999999999\n\n\\1-grams:\n")


def attempt(name: str, data: bytes) -> None:
    try:
        PARSERS[name](data)
    except StreamasrError:
        pass
    except BaseException as error:
        raise AssertionError(f"{name}: {data!r}") from error


def twisted(seed: bytes, rng: random.Random) -> bytes:
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                data[at : at + 1] = rng.randbytes(1)
            case 1:
                data[at:at] = rng.choice(ODD)
            case 2:
                del data[at : at + rng.randrange(8)]
            case 3:
                data[at:at] = data[: rng.randrange(len(data) + 1)]
            case 4:
                data[at : at + 1] = CUT
        data = data[:2000] or bytearray(b"x")
    return bytes(data)


ODD = (
    b"0", b"-1", b"1e999", b"NaN", b"99999999999999999999", b"\0", b"\xff" * 4, b"[" * 50, b'"',
    b"{}", b"null", b"\n", "\u202e\ud7ff\u0130".encode(), b"\xed\xa0\x80", b"%00", b"&", b"=",
)  # fmt: skip
