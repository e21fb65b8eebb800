import gzip
from pathlib import Path

import pytest

from streamasr.app.train.punctuation.text import UNKNOWN, Part, case_of, read_words
from streamasr.core.punctuation.tokens import Case, Mark
from streamasr.errors import ConfigError


def shown(*lines: str) -> str:
    """Words with their marks; a word of unknown case with a star, a name with a capital."""
    text = read_words(lines)
    cased = {Case.LOWER: str.lower, Case.CAPITAL: str.capitalize, Case.UPPER: str.upper}
    return " ".join(
        ("*" + word if case == UNKNOWN else cased[Case(case)](word)) + " ,.?"[mark].strip()
        for word, mark, case in zip(text.words, text.marks, text.cases, strict=True)
    )


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Mr. Bennet, you know it."], "*mister Bennet, you know it."),
        (["It is well-known; is it?"], "*it is well known, is it?"),
        (["Sorrow came - a gentle sorrow - at last!"], "*sorrow came, a gentle sorrow, at last."),
        (["He came--she went."], "*he came, she went."),
        (["I was in NATO and the U.S. then."], "*i was in NATO and the US then."),
        (["We met St. John. He is here."], "*we met St John. *he is here."),
        (['"Who?" she said. "Me?"'], "*who? *she said. *me?"),
        (["What lines!", "said Harriet."], "*what lines, said Harriet."),
        (["Really?", "said he."], "*really? said he."),
        (["CHAPTER ONE", "It begins.", "No end", "In 1914 it was."], "*it begins."),
        (["It's O'Brien's, isn't it?"], "*it's O'brien's, isn't it?"),
        (["YOU are it and you know it."], "*you are it and you know it."),
    ],
)
def test_what_is_said_and_what_is_to_be_written(lines: list[str], expected: str) -> None:
    assert shown(*lines) == expected


def test_sentences_begin_where_lines_do() -> None:
    text = read_words(["One two.", "three four.", "Five."])
    assert text.starts == [0, 2, 4]
    assert [text.cases[at] for at in text.starts] == [UNKNOWN, Case.LOWER, UNKNOWN]
    assert text.marks[1] == Mark.COMMA


@pytest.mark.parametrize(
    ("written", "case"),
    [("it", 0), ("I", 1), ("Ada", 1), ("USA", 2), ("McCoy", 1), ("STOPPING", 1), ("", 0)],
)
def test_cases(written: str, case: int) -> None:
    assert case_of(written) == case


def test_parts_of_files(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.txt.gz", "wt") as file:
        file.write("".join(f"{n}\n" for n in range(1, 11)))
    part = Part.parse("a.txt.gz:3-5")
    assert part == Part("a.txt.gz", 3, 5)
    assert part.lines(tmp_path) == ["3", "4", "5"]
    rest = Part.parse("a.txt.gz").lines(tmp_path, without=[part, Part("a.txt.gz", 9), Part("b", 1)])
    assert rest == ["1", "2", "6", "7", "8"]
    with pytest.raises(ConfigError, match="no such text"):
        Part.parse("b.txt").lines(tmp_path)
    for wrong in ("a.txt.gz:0-3", "a.txt.gz:5-4", "a.txt.gz:2-11"):
        with pytest.raises(ConfigError, match="has no lines"):
            Part.parse(wrong).lines(tmp_path)
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        Part.parse("c.txt").lines(tmp_path)
