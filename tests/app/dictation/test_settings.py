from pathlib import Path

import pytest

from streamasr.app.dictation.settings import Mode, OnFocus, Settings, load, overridden, parse
from streamasr.core.dictation.style import Style
from streamasr.errors import ConfigError

WHOLE = """
[dictation]
mode = "push"
microphone = "usb"
hold_back = 2
on_focus = "follow"

[text]
numbers = true

[marks]
period = false
"smiley face" = ":-)"

[replace]
"My  Mail" = "ada@example.org"

[dictionary]
words = ["Ada Lovelace", "kubectl"]
boost = 9

[[profile]]
match = "slack|discord"
line_break = "shift+return"
capitals = false

[[profile]]
match = "^xterm$"
typing = "paste"
"""


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "dictation.toml"
    file.write_text(WHOLE)
    settings = load(file)
    assert (settings.mode, settings.microphone, settings.hold_back) == (Mode.PUSH, "usb", 2)
    assert settings.on_focus is OnFocus.FOLLOW
    assert settings.boost == 9
    style = settings.style
    assert style.numbers
    assert style.marks == {"period": None, "smiley face": ":-)"}
    assert style.replace == {"my mail": "ada@example.org"}
    assert style.words == ("Ada Lovelace", "kubectl")


def test_the_first_profile_that_fits_a_program_holds(tmp_path: Path) -> None:
    import tomllib

    settings = parse(tomllib.loads(WHOLE))
    chat = settings.profile("Slack")
    assert (chat.line_break, chat.style.capitals, chat.style.numbers) == (
        "shift+return", False, True
    )  # fmt: skip
    assert settings.profile("XTerm").typing == "paste"
    other = settings.profile("firefox")
    assert (other.typing, other.line_break, other.style) == (None, "return", settings.style)
    assert settings.profile("").style == settings.style


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[dictaton]", r"'dictaton' at the top is no setting \(did you mean dictation\?\)"),
        ("[text]\nnumber = true", r"did you mean numbers\?"),
        ("[text]\nnumbers = 'yes'", "text.numbers must be true or false, got 'yes'"),
        ("[dictation]\nhold_back = 99", r"dictation.hold_back must lie in 0..10, got 99"),
        ("[dictation]\nhold_back = true", "must be a whole number"),
        ("[dictation]\nmode = 'loud'", r"one of hands-free, push, once"),
        ("[replace]\na = 3", r"replace.'a' must be text, got 3"),
        ("[dictionary]\nwords = [1]", "dictionary.words holds 1"),
        ("[[profile]]\ntyping = 'paste'", "profile 1 matches nothing"),
        ("[[profile]]\nmatch = '('", "profile 1.match is no regular expression"),
        ("[profile]\nmatch = 'x'", r"profile must be a list of tables"),
        ("text = 3", "text must be a table"),
        ("[text", "is no TOML"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=complaint) as caught:
        load(file)
    assert str(file) in str(caught.value)


def test_without_a_file_the_defaults_hold_unless_one_was_named(tmp_path: Path) -> None:
    assert load(None, {"XDG_CONFIG_HOME": str(tmp_path)}) == Settings()
    with pytest.raises(ConfigError, match="there is no"):
        load(tmp_path / "none.toml")
    usual = tmp_path / "streamasr" / "dictation.toml"
    usual.parent.mkdir()
    usual.write_text("[text]\nnumbers = true\n")
    assert load(None, {"XDG_CONFIG_HOME": str(tmp_path)}).style == Style(numbers=True)


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    assert not parse({}).keep
    learning = parse({"learn": {"keep": True, "minutes": 5}})
    assert (learning.keep, learning.keep_minutes) == (True, 5)


def test_some_settings_wait_for_the_next_start() -> None:
    running = parse({"dictation": {"mode": "push", "tail_ms": 100}})
    changed = parse({"dictation": {"microphone": "usb", "tail_ms": 200, "mode": "push"}})
    settings, waiting = changed.kept_at_start(running)
    assert (settings.microphone, settings.tail_ms, waiting) == (None, 200, ["microphone"])


def test_flags_win_and_are_checked() -> None:
    assert overridden(Settings(), hold_back=3, mode=None).hold_back == 3
    assert overridden(Settings(), mode=Mode.ONCE).mode is Mode.ONCE
    with pytest.raises(ConfigError, match="hold_back must lie in"):
        overridden(Settings(), hold_back=-1)
    with pytest.raises(ConfigError, match="typing cannot be 'telepathy'"):
        overridden(Settings(), typing="telepathy")
