"""What the user sets: one TOML file, its defaults, and clear words about what is wrong in it.

settings = load(Path("~/.config/streamasr/dictation.toml").expanduser())
settings.profile("firefox").style
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from streamasr.core.dictation.style import Punctuation, Style
from streamasr.core.hotwords import DEFAULT_BOOST, HIGHEST_BOOST
from streamasr.errors import ConfigError


class Mode(StrEnum):
    """When a dictation listens."""

    HANDS_FREE = "hands-free"
    PUSH = "push"
    ONCE = "once"


class OnFocus(StrEnum):
    """What becomes of text when the focus moves while it is said."""

    HOLD = "hold"
    FOLLOW = "follow"


@dataclass(frozen=True, slots=True)
class Profile:
    """How to write into the windows of some programs."""

    match: re.Pattern[str]
    """Searched in the program's name, whatever its case."""
    style: Style
    typing: str | None = None
    line_break: str = "return"
    """``return``, or ``shift+return`` where Return would send what was written."""


@dataclass(frozen=True)
class Settings:
    """A whole configuration."""

    mode: Mode = Mode.HANDS_FREE
    microphone: str | None = None
    typing: str = "auto"
    hold_back: int = 1
    tail_ms: int = 300
    endpoint_ms: int = 400
    on_focus: OnFocus = OnFocus.HOLD
    sounds: bool = False
    model: str | None = None
    decoder: str = "auto"
    style: Style = field(default_factory=Style)
    boost: float = DEFAULT_BOOST
    profiles: tuple[Profile, ...] = ()
    line_break: str = "return"
    keep: bool = False
    keep_minutes: int = 60

    def kept_at_start(self, running: Settings) -> tuple[Settings, list[str]]:
        """These settings for a dictation that runs: what only a start can change stays.

        Also the names of those that differ.
        """
        fixed = {name: getattr(running, name) for name in AT_START}
        return replace(self, **fixed), [n for n in AT_START if getattr(self, n) != fixed[n]]

    def profile(self, program: str) -> Profile:
        """The first profile that a program's name fits, else one of the defaults."""
        for profile in self.profiles:
            if program and profile.match.search(program):
                return profile
        return Profile(re.compile(""), self.style, None, self.line_break)


AT_START = (
    "mode", "microphone", "typing", "endpoint_ms", "on_focus", "sounds", "model", "decoder",
)  # fmt: skip
"""What holds until a dictation ends."""
LIMITS: dict[str, tuple[float, float]] = {
    "hold_back": (0, 10),
    "tail_ms": (0, 3000),
    "endpoint_ms": (200, 5000),
    "boost": (0, HIGHEST_BOOST),
    "minutes": (1, 600),
}
CHOICES = {
    "mode": tuple(Mode),
    "on_focus": tuple(OnFocus),
    "decoder": ("auto", "greedy", "graph"),
    "typing": (
        "auto", "wtype", "xtest", "xdotool", "ibus", "uinput", "ydotool", "paste", "clipboard",
        "stdout",
    ),
    "line_break": ("return", "shift+return"),
    "punctuation": tuple(Punctuation),
}  # fmt: skip
DICTATION = {
    "mode": str, "microphone": str, "typing": str, "hold_back": int, "tail_ms": int,
    "endpoint_ms": int, "on_focus": str, "sounds": bool, "model": str, "decoder": str,
    "line_break": str,
}  # fmt: skip
TEXT = {"punctuation": str, "commands": bool, "capitals": bool, "numbers": bool}
LEARN = {"keep": bool, "minutes": int}
PROFILE = {"match": str, "typing": str, "line_break": str} | TEXT
TYPE_NAMES = {str: "text", int: "a whole number", bool: "true or false", float: "a number"}


def default_path(environ: Mapping[str, str] = os.environ) -> Path:
    base = environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "streamasr" / "dictation.toml"


def load(
    path: Path | None,
    environ: Mapping[str, str] = os.environ,
    *,
    punctuation: str | None = None,
) -> Settings:
    """Read a file, or the usual one where it exists; raises ConfigError that names the place.

    ``punctuation`` stands in place of the file's own, but not of a profile's.
    """
    is_asked_for = path is not None
    path = path or default_path(environ)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if is_asked_for:
            raise ConfigError(f"there is no {path}") from None
        return parse({}, punctuation)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    try:
        return parse(tomllib.loads(text), punctuation)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from None
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}", remedy=error.remedy) from None


def parse(table: Mapping[str, Any], punctuation: str | None = None) -> Settings:
    """Settings from a TOML table, see `load`; raises ConfigError."""
    known = ("dictation", "text", "marks", "replace", "dictionary", "learn", "profile")
    _check_names(table, known, "")
    for name in known[:-1]:
        if not isinstance(table.get(name, {}), dict):
            raise ConfigError(f"{name} must be a table", remedy=f"[{name}]")
    values = _values(table.get("dictation", {}), DICTATION, "dictation")
    dictionary = _values(table.get("dictionary", {}), {"words": list, "boost": float}, "dictionary")
    learn = _values(table.get("learn", {}), LEARN, "learn")
    texts = table.get("text", {}) | ({"punctuation": str(punctuation)} if punctuation else {})
    style = Style(
        **_values(texts, TEXT, "text"),
        marks=_marks(table.get("marks", {})),
        replace=_texts(table.get("replace", {}), "replace"),
        words=_words(dictionary.get("words", [])),
    )
    settings = Settings(
        **values,
        style=style,
        boost=dictionary.get("boost", DEFAULT_BOOST),
        keep=learn.get("keep", False),
        keep_minutes=learn.get("minutes", Settings.keep_minutes),
    )
    return replace(settings, profiles=_profiles(table.get("profile", []), settings))


def _typed(name: str, value: Any) -> Any:
    kinds: dict[str, type[StrEnum]] = {
        "mode": Mode, "on_focus": OnFocus, "punctuation": Punctuation,
    }  # fmt: skip
    return kinds[name](value) if name in kinds else value


def _values(table: Mapping[str, Any], known: Mapping[str, type], place: str) -> dict[str, Any]:
    """The values of a table, each of its type, within its limits, or one of its choices."""
    _check_names(table, known, place)
    for name, value in table.items():
        where, kind = f"{place}.{name}", known[name]
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits:
            wanted = TYPE_NAMES.get(kind, "a list")
            raise ConfigError(f"{where} must be {wanted}, got {value!r}")
        low, high = LIMITS.get(name, (value, value)) if kind in (int, float) else (0, 0)
        if kind in (int, float) and not low <= value <= high:
            raise ConfigError(f"{where} must lie in {low:g}..{high:g}, got {value}")
        choices = CHOICES.get(name, ())
        if choices and value not in choices:
            raise ConfigError(f"{where} cannot be {value!r}", remedy=f"one of {', '.join(choices)}")
    return {name: _typed(name, value) for name, value in table.items()}


def _check_names(table: Mapping[str, Any], known: Any, place: str) -> None:
    for name in table:
        if name not in known:
            close = difflib.get_close_matches(name, list(known), 1)
            remedy = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            where = f"in [{place}]" if place else "at the top"
            raise ConfigError(f"{name!r} {where} is no setting", remedy=remedy)


def _texts(table: Mapping[str, Any], place: str) -> dict[str, str]:
    for said, text in table.items():
        if not isinstance(text, str) or not said.strip():
            raise ConfigError(
                f"{place}.{said!r} must be text, got {text!r}", remedy='"what is said" = "written"'
            )
    return {_spoken(said): text for said, text in table.items()}


def _marks(table: Mapping[str, Any]) -> dict[str, str | None]:
    off = {said for said, mark in table.items() if mark is False}
    given = _texts({said: mark for said, mark in table.items() if said not in off}, "marks")
    return {**given, **{_spoken(said): None for said in off}}


def _spoken(said: str) -> str:
    return " ".join(said.lower().split())


def _words(words: list[Any]) -> tuple[str, ...]:
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise ConfigError(
                f"dictionary.words holds {word!r}", remedy="words and names in quotes"
            )
    return tuple(" ".join(word.split()) for word in words)


def _profiles(tables: Any, settings: Settings) -> tuple[Profile, ...]:
    if not isinstance(tables, list):
        raise ConfigError("profile must be a list of tables", remedy="[[profile]]")
    return tuple(_profile(table, number, settings) for number, table in enumerate(tables, 1))


def _profile(table: Mapping[str, Any], number: int, settings: Settings) -> Profile:
    place = f"profile {number}"
    values = _values(table, PROFILE, place)
    if "match" not in values:
        raise ConfigError(f"{place} matches nothing", remedy='match = "a program\'s name"')
    try:
        match = re.compile(values["match"], re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"{place}.match is no regular expression: {error}") from None
    changes = {name: values[name] for name in TEXT if name in values}
    return Profile(
        match,
        replace(settings.style, **changes),
        values.get("typing"),
        values.get("line_break", settings.line_break),
    )


def overridden(settings: Settings, **flags: Any) -> Settings:
    """The settings with those flags that were given."""
    known = {field.name for field in fields(Settings)}
    given = {name: value for name, value in flags.items() if value is not None}
    assert set(given) <= known
    for name, value in given.items():
        _values({name: str(value) if isinstance(value, StrEnum) else value},
                {name: DICTATION[name]}, "dictation")  # fmt: skip
    return replace(settings, **{n: _typed(n, v) for n, v in given.items()})
