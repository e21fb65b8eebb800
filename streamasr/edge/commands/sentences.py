"""The file of sentences: TOML or YAML, in the words that Home Assistant's users know.

    sentences = read_sentences(Path("home.toml"))
    sentences.problems                # what could not be read, each with its line

What is wrong with one sentence or list is told and left out; the rest holds. What is no
TOML or YAML at all raises ConfigError with the line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streamasr.edge.commands.templates import MOMENTS, Moments, Numbers, SlotList, Value
from streamasr.edge.lm.lexicon import Phones
from streamasr.edge.lm.pronounce import read_pronunciation
from streamasr.errors import ConfigError

KEYS = frozenset((
    "language", "intents", "lists", "rules", "expansion_rules", "skip_words", "pronunciations",
    "actions", "wake", "mqtt", "home_assistant", "settings", "reject", "responses",
))  # fmt: skip
INTENT_KEYS = frozenset((
    "sentences", "slots", "data", "actions", "lists", "rules", "expansion_rules",
    "requires_context", "excludes_context", "response", "metadata", "description", "domain",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was left out, or guessed."""

    file: str
    line: int
    text: str
    is_guess: bool = False
    """Nothing is wrong, but somebody should look at it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Block:
    """Sentences of one intent that share their fixed slots."""

    intent: str
    sentences: tuple[tuple[str, int], ...]
    """Templates with their lines."""
    slots: Mapping[str, Any]
    lists: Mapping[str, SlotList]
    rules: Mapping[str, str]
    context: Mapping[str, Any]


@dataclass(slots=True)
class Sentences:
    """What a file of sentences holds."""

    file: Path
    blocks: list[Block] = field(default_factory=list)
    skip_words: tuple[str, ...] = ()
    pronunciations: dict[str, list[Phones]] = field(default_factory=dict)
    actions: dict[str, list[Any]] = field(default_factory=dict)
    """Tables of actions by intent; those of all intents under the empty name."""
    tables: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """``wake``, ``mqtt``, ``home_assistant``: for those who act."""
    problems: list[Problem] = field(default_factory=list)


def read_sentences(file: Path) -> Sentences:
    """Read a file; raises ConfigError with file and line where it cannot be read at all."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8", remedy="TOML or YAML is text") from None
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from None
    data = _parse(file, text)
    reader = _Reader(Sentences(file), text)
    reader.read(data)
    if not reader.sentences.blocks:
        problems = reader.sentences.problems
        if problems:
            raise ConfigError(str(problems[0]))
        raise ConfigError(f"{file} has no sentences", remedy="see docs/COMMANDS.md")
    return reader.sentences


def _parse(file: Path, text: str) -> Mapping[str, Any]:
    try:
        is_yaml = file.suffix in (".yaml", ".yml")
        data = yaml.safe_load(text) if is_yaml else tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"^(.*) \(at line (\d+), column \d+\)$", str(error))
        why, line = (found[1], found[2]) if found else (str(error), str(text.count("\n") + 1))
        raise ConfigError(f"{file}:{line}: {why}", remedy="it must be TOML") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = str(mark.line + 1) if mark else "1"
        raise ConfigError(f"{file}:{line}: {error.problem}", remedy="it must be YAML") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: {error}", remedy="it must be YAML") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{file} holds no table of sentences", remedy="see docs/COMMANDS.md")
    return data


class _Reader:
    """Puts what the file says into `Sentences`, and complains of what makes no sense."""

    def __init__(self, sentences: Sentences, text: str) -> None:
        self.sentences = sentences
        self._lines = text.splitlines()
        self._last = 0

    def read(self, data: Mapping[str, Any]) -> None:
        sentences = self.sentences
        for key in data:
            if str(key) not in KEYS:
                self._complain(str(key), f"unknown: {key!r}")
        lists = self._lists(data.get("lists"))
        rules = self._rules(data)
        for word in self._list_of_texts(data.get("skip_words"), "skip_words"):
            sentences.skip_words += (word,)
        self._pronunciations(data.get("pronunciations"))
        sentences.actions[""] = self._actions(data.get("actions"), "actions")
        for name in ("wake", "mqtt", "home_assistant", "reject"):
            if name in data:
                sentences.tables[name] = self._table(data[name], name)
        for name, intent in self._table(data.get("intents"), "intents").items():
            self._intent(str(name), intent, lists, rules)

    def _intent(
        self, name: str, intent: Any, lists: Mapping[str, SlotList], rules: Mapping[str, str]
    ) -> None:
        self._last = 0
        self._line(name)
        if isinstance(intent, list | str):
            intent = {"sentences": intent}
        if not isinstance(intent, dict):
            self._complain(name, f"the intent {name} needs sentences")
            return
        for key in set(intent) - INTENT_KEYS:
            self._complain(str(key), f"unknown in the intent {name}: {key!r}")
        self.sentences.actions[name] = self._actions(intent.get("actions"), name)
        parts = [intent] if "sentences" in intent else []
        data = intent.get("data", [])
        parts += [part for part in (data if isinstance(data, list) else [])]
        if not parts:
            self._complain(name, f"the intent {name} has no sentences")
        for part in parts:
            if not isinstance(part, dict):
                self._complain(name, f"the data of {name} must be tables with sentences")
                continue
            texts = self._list_of_texts(part.get("sentences"), name)
            found = tuple((text, self._line(text)) for text in texts)
            if not found:
                self._complain(name, f"the intent {name} has no sentences")
                continue
            own_lists = {**lists, **self._lists(part.get("lists"))}
            own_rules = {**rules, **self._rules(part)}
            slots = self._table(part.get("slots"), "slots")
            context = {
                key: value
                for key, value in self._table(
                    part.get("requires_context"), "requires_context"
                ).items()
                if not isinstance(value, dict) and value is not None
            }
            self.sentences.blocks.append(Block(name, found, slots, own_lists, own_rules, context))

    def _lists(self, table: Any) -> dict[str, SlotList]:
        lists: dict[str, SlotList] = {}
        for name, content in self._table(table, "lists").items():
            self._line(str(name))
            try:
                lists[str(name)] = self._one_list(str(name), content)
            except ConfigError as error:
                self._complain(str(name), f"the list {name}: {error}")
        return lists

    def _one_list(self, name: str, content: Any) -> SlotList:
        if isinstance(content, dict) and "values" in content:
            content = content["values"]
        if isinstance(content, list):
            return self._values(name, content)
        if not isinstance(content, dict):
            raise ConfigError("it needs values, or a range")
        if content.get("wildcard"):
            raise ConfigError(
                "free text cannot be heard by a closed grammar", remedy="give it values"
            )
        if "type" in content and content["type"] in MOMENTS:
            return Moments(content["type"])
        span = content.get("range", content)
        if not isinstance(span, dict) or not {"from", "to"} <= set(span):
            raise ConfigError("it needs values, or a range with from and to")
        try:
            numbers = Numbers(
                int(span["from"]), int(span["to"]), int(span.get("step", 1)),
                str(span.get("fractions") or ""),
                float(span["multiplier"]) if "multiplier" in span else None,
            )  # fmt: skip
        except (TypeError, ValueError):
            raise ConfigError("from, to and step are whole numbers") from None
        if numbers.first > numbers.last or numbers.step < 1:
            raise ConfigError(f"the range {numbers.first} to {numbers.last} is empty")
        if numbers.fractions not in ("", "halves", "tenths"):
            raise ConfigError("fractions are halves or tenths")
        if numbers.last - numbers.first > 10_000 * numbers.step:
            raise ConfigError("the range has more than 10 000 numbers", remedy="a larger step")
        return numbers

    def _values(self, name: str, content: list[Any]) -> list[Value]:
        values: list[Value] = []
        said: dict[str, Any] = {}
        for item in content:
            match item:
                case {"in": text, **rest}:
                    value = Value(
                        str(text), rest.get("out", str(text)),
                        self._table(rest.get("context"), "context"), self._line(str(text)),
                    )  # fmt: skip
                case str() | int() | float():
                    value = Value(str(item), item, {}, self._line(str(item)))
                case _:
                    self._complain(name, f"the list {name}: a value is a text, or has in and out")
                    continue
            if not value.text.strip():
                self._complain(name, f"the list {name}: a value is empty")
                continue
            if value.text in said and said[value.text] != value.out:
                self._complain(
                    value.text,
                    f"the list {name}: {value.text!r} means {said[value.text]!r} already",
                )
                continue
            said[value.text] = value.out
            values.append(value)
        if not values:
            raise ConfigError("it has no values")
        return values

    def _rules(self, table: Mapping[str, Any]) -> dict[str, str]:
        rules: dict[str, str] = {}
        for key in ("rules", "expansion_rules"):
            for name, rule in self._table(table.get(key), key).items():
                if isinstance(rule, str) and rule.strip():
                    rules[str(name)] = rule
                else:
                    self._complain(str(name), f"the rule <{name}> is no text")
        return rules

    def _pronunciations(self, table: Any) -> None:
        for word, said in self._table(table, "pronunciations").items():
            for way in said if isinstance(said, list) else [said]:
                try:
                    ways = self.sentences.pronunciations.setdefault(str(word).lower(), [])
                    ways.append(read_pronunciation(str(way)))
                except ConfigError as error:
                    self._complain(str(word), f"the pronunciation of {word}: {error}")

    def _actions(self, value: Any, near: str) -> list[Any]:
        if value is None:
            return []
        found = value if isinstance(value, list) else [value]
        for item in found:
            if not isinstance(item, dict):
                self._complain(near, "an action is a table")
        return [item for item in found if isinstance(item, dict)]

    def _table(self, value: Any, name: str) -> Mapping[Any, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._complain(name, f"{name} must be a table")
            return {}
        return value

    def _list_of_texts(self, value: Any, name: str) -> list[str]:
        if value is None:
            return []
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            self._complain(name, f"{name}: this must be a list of texts")
            return []
        for text in found:
            if not text.strip():
                self._complain(name, f"{name}: a sentence is empty")
        return [text for text in found if text.strip()]

    def _line(self, text: str) -> int:
        """The line of a text, looked for from the last one on; 1 where it is not found."""
        forms = {text, text.replace("\\", "\\\\"), text.replace("'", "''")}
        count = len(self._lines)
        for offset in range(count):
            at = (self._last + offset) % count
            if any(_holds(self._lines[at], form) for form in forms):
                self._last = at
                return at + 1
        return 1

    def _complain(self, near: str, text: str) -> None:
        problem = Problem(str(self.sentences.file), self._line(near), text)
        self.sentences.problems.append(problem)


def _holds(line: str, text: str) -> bool:
    """Whether a line holds a text that is no part of a longer word."""
    at = line.find(text)
    if at < 0:
        return False
    around = line[max(0, at - 1) : at] + line[at + len(text) : at + len(text) + 1]
    return not any(c.isalnum() for c in around) or _holds(line[at + 1 :], text)
