"""Sentence templates of Home Assistant's kind (the package hassil) onto a drawing.

    artist = Artist(Drawing(), lists, rules)
    artist.sentence("turn (on|off) [the] {name}", block=0)

hassil reads a template; here it is drawn, as `core.commands.network` wants it. Text is
written as it is spoken: small letters, digits and signs as words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hassil.expression import (
    Alternative,
    Expression,
    Group,
    ListReference,
    Permutation,
    RuleReference,
    TextChunk,
)
from hassil.parse_expression import parse_sentence
from hassil.parser import ParseError

from streamasr.core.commands import spoken
from streamasr.core.commands.network import Close, Drawing, Open
from streamasr.errors import ConfigError

SYNTAX = re.compile(r"[()\[\]{}<>|;\\]")
MOST_PERMUTED = 6
DEEPEST = 20
"""Rules within rules."""
SIGNS = {"%": " percent ", "°": " degrees ", "&": " and ", "+": " plus ", "-": " ", "_": " ",
         "/": " ", "’": "'", "–": " ", "—": " "}  # fmt: skip
DROPPED = re.compile(r"[.,!?:\"“”…]")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d)?(?![\d.])|\d+")
_PLAIN = re.compile(r" ?(?:[a-z']+ )*(?:[a-z']+)?")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a list."""

    text: str
    """What is said, a template."""
    out: Any
    """What it means."""
    context: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class Numbers:
    """A list of the numbers from ``first`` to ``last``."""

    first: int
    last: int
    step: int = 1
    fractions: str = ""
    """``halves`` or ``tenths`` between them, or none."""
    multiplier: float | None = None

    def values(self) -> list[tuple[float, float]]:
        """Each number as it is said, and what it means."""
        between = {"halves": (0.0, 0.5), "tenths": tuple(n / 10 for n in range(10))}
        found = []
        for whole in range(self.first, self.last + 1, self.step):
            for part in between.get(self.fractions, (0.0,)):
                if (said := whole + part) <= self.last or not self.fractions:
                    found.append(
                        (said, said if self.multiplier is None else said * self.multiplier)
                    )
        return [(said, int(out) if out == int(out) else round(out, 6)) for said, out in found]


@dataclass(frozen=True, slots=True)
class Moments:
    """A list of times of day or of durations."""

    kind: str
    """``time`` or ``duration``."""


SlotList = Sequence[Value] | Numbers | Moments
MOMENTS = {
    "time": (spoken.TIME, spoken.time_of_day),
    "duration": (spoken.DURATION, spoken.duration_s),
}


def spoken_text(text: str) -> str:
    """Text as it is spoken; spaces at its ends stay. Raises ConfigError for other letters.

    >>> spoken_text("Set it to 21.5%, on the 2nd floor")
    'set it to twenty one point five percent on the second floor'
    """
    if _PLAIN.fullmatch(text):
        return text
    text = unicodedata.normalize("NFKD", text).lower()
    text = "".join(c for c in text if not unicodedata.combining(c) or c == "°")
    text = _ORDINAL.sub(_ordinal, text)
    text = _NUMBER.sub(_number, text)
    for sign, words in SIGNS.items():
        text = text.replace(sign, words)
    text = re.sub(r"\s+", " ", DROPPED.sub("", text))
    wrong = sorted(set(text) - set("abcdefghijklmnopqrstuvwxyz' "))
    if wrong:
        raise ConfigError(f"{wrong[0]!r} cannot be spoken", remedy="write it in English letters")
    return text


def _number(match: re.Match[str]) -> str:
    value = float(match[0])
    if abs(value) > spoken.BIGGEST:
        raise ConfigError(f"the number {match[0]} is too big", remedy="write it in words")
    return f" {' '.join(spoken.number_forms(value)[0])} "


def _ordinal(match: re.Match[str]) -> str:
    return " ".join(spoken.ordinal_form(int(match[1])))


class Artist:
    """Draws templates; raises ConfigError for what cannot be drawn."""

    def __init__(
        self,
        drawing: Drawing,
        lists: Mapping[str, SlotList],
        rules: Mapping[str, str],
        skip_words: Sequence[str] = (),
    ) -> None:
        self._drawing = drawing
        self._lists = lists
        self._rules = rules
        self._skip_words = tuple(skip_words)
        self._parsed: dict[str, Expression] = {}
        self._begun: dict[int, int] = {}
        self._context: Mapping[str, Any] = {}
        self._depth = 0

    def sentence(self, text: str, block: int, context: Mapping[str, Any] | None = None) -> None:
        """Draw a sentence of a block; only values that fit the ``context`` are drawn.

        A sentence that fails leaves no end behind, so that nothing comes of it.
        """
        self._context = context or {}
        self._depth = 0
        drawing = self._drawing
        if block not in self._begun:
            self._begun[block] = drawing.draw(0, "", drawing.node())
        begin = self._begun[block]
        end = self._template(text, self._skip(begin))
        end = self._skip(drawing.draw(end, " "))
        if not text.strip():
            raise ConfigError("a sentence is empty")
        drawing.ends[drawing.draw(end, "")] = block

    def _skip(self, node: int) -> int:
        """Words that may be said there and mean nothing, two at most."""
        for _ in range(2 if self._skip_words else 0):
            goal = self._drawing.draw(node, "")
            for word in self._skip_words:
                said = self._drawing.draw(self._text(f" {word} ", node), "")
                self._drawing.draw(said, "", goal)
            node = goal
        return node

    def _template(self, text: str, node: int) -> int:
        if not SYNTAX.search(text):
            return self._text(text, node)
        if text not in self._parsed:
            try:
                self._parsed[text] = parse_sentence(text).expression
            except (ParseError, AssertionError) as error:
                raise ConfigError(f"cannot read {text!r}: {_complaint(error)}") from None
        return self._expression(self._parsed[text], node)

    def _expression(self, expression: Expression, node: int) -> int:
        match expression:
            case TextChunk():
                return self._text(expression.original_text, node)
            case Alternative():
                goal = self._drawing.node()
                for item in expression.items:
                    self._drawing.draw(self._expression(item, node), "", goal)
                return goal
            case Permutation():
                return self._permutation(expression, node)
            case Group():
                for item in expression.items:
                    node = self._expression(item, node)
                return node
            case ListReference():
                return self._list(expression, node)
            case RuleReference():
                return self._rule(expression.rule_name, node)
        raise ConfigError(f"{type(expression).__name__} is not understood in a sentence")

    def _text(self, text: str, node: int) -> int:
        if not text:
            return node
        draw = self._drawing.draw
        first, *others = spoken_text(text).split(" ")
        if first:
            node = draw(node, first)
        for piece in others:
            node = draw(node, " ")
            if piece:
                node = draw(node, piece)
        return node

    def _permutation(self, expression: Permutation, node: int) -> int:
        count = len(expression.items)
        if count > MOST_PERMUTED:
            raise ConfigError(f"a permutation of {count} parts", remedy=f"{MOST_PERMUTED} at most")
        places = {0: node}
        for mask in range(1 << count):
            for bit, item in enumerate(expression.items):
                if mask & 1 << bit:
                    continue
                said = mask | 1 << bit
                places.setdefault(said, self._drawing.node())
                self._drawing.draw(self._expression(item, places[mask]), "", places[said])
        return places[(1 << count) - 1]

    def _rule(self, name: str, node: int) -> int:
        if name not in self._rules:
            raise ConfigError(f"there is no rule <{name}>", remedy=_known("rules", self._rules))
        if self._depth >= DEEPEST:
            raise ConfigError(f"the rule <{name}> leads back to itself")
        self._depth += 1
        node = self._template(self._rules[name], node)
        self._depth -= 1
        return node

    def _list(self, reference: ListReference, node: int) -> int:
        name, slot = reference.list_name, reference.slot_name
        found: SlotList
        if (span := reference.get_inline_range()) is not None:
            found = Numbers(*span)
        elif name in self._lists:
            found = self._lists[name]
        elif name in MOMENTS:
            found = Moments(name)
        else:
            raise ConfigError(f"there is no list {{{name}}}", remedy=_known("lists", self._lists))
        draw, make = self._drawing.draw, self._drawing.node
        begun = draw(node, "", make(Open(slot)))
        goal = make()

        def close(end: int, tag: Close) -> None:
            draw(draw(end, "", make(tag)), "", goal)

        match found:
            case Moments(kind):
                template, convert = MOMENTS[kind]
                close(self._template(template, begun), Close(slot, convert=convert))
            case Numbers():
                self._numbers(found, begun, partial(Close, slot), close)
            case values:
                fitting = [value for value in values if self._fits(value)]
                if not fitting:
                    raise ConfigError(f"the list {{{name}}} has no value that fits here")
                for value in fitting:
                    close(self._template(value.text, begun), Close(slot, value.out))
        return goal

    def _numbers(self, numbers: Numbers, begun: int, tag: Any, close: Any) -> None:
        """Numbers that begin alike share their words."""
        tree: dict[tuple[str, ...], int] = {(): begun}
        for said, out in numbers.values():
            for form in spoken.number_forms(said):
                for length in range(1, len(form) + 1):
                    if form[:length] not in tree:
                        node = tree[form[: length - 1]]
                        node = self._drawing.draw(node, " ") if length > 1 else node
                        tree[form[:length]] = self._drawing.draw(node, form[length - 1])
                close(tree[form], tag(out))

    def _fits(self, value: Value) -> bool:
        for key, wanted in self._context.items():
            if key in value.context:
                has = value.context[key]
                allowed = wanted if isinstance(wanted, list) else [wanted]
                if not set(has if isinstance(has, list) else [has]) & set(allowed):
                    return False
        return True


def _known(what: str, names: Mapping[str, Any]) -> str:
    return f"{what}: {', '.join(sorted(names))}" if names else f"the file has no {what}"


def _complaint(error: Exception) -> str:
    text = str(error)
    return re.sub(r" from index \d+ in: .*| in: .*", "", text) or "it is no template"
