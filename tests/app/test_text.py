import pytest

from streamasr.app.text import is_speakable, normalise


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Author of the trail, Philip Steels, etc.", "author of the trail philip steels etc"),
        ("It's 'quoted' — don’t!", "it's quoted don't"),
        ("well-known café", "well known cafe"),
        ("U.S. rock & roll", "us rock and roll"),
        ("  spaced \t out ", "spaced out"),
        ("'tis the boys' own", "tis the boys own"),
        ("", ""),
    ],
)  # fmt: skip
def test_text_becomes_plain_words(raw: str, clean: str) -> None:
    assert normalise(raw) == clean
    assert normalise(clean) == clean


def test_digits_and_emptiness_are_not_speakable() -> None:
    assert is_speakable("two words")
    assert not is_speakable("in 1455")
    assert not is_speakable("...")
