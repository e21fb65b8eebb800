"""Sentences into what the decoder searches and what its words mean.

    grammar = compile_sentences(read_sentences(file), base)
    grammar.model                            # for StreamOptions.grammar
    grammar.understand("turn on the lamp")   # Intent, or None

Ten thousand sentences take less than a second.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from streamasr.core.commands.network import Drawing, Meaning, Network
from streamasr.core.graph import GraphModel
from streamasr.edge.commands.sentences import Block, Problem, Sentences
from streamasr.edge.commands.templates import Artist
from streamasr.edge.lm.grammar import grammar_model
from streamasr.edge.lm.pronounce import Pronouncer
from streamasr.errors import ConfigError

SEARCH: Mapping[str, float] = {
    "beam": 20.0,
    "max_active": 6000,
    "lattice_beam": 10.0,
    "unit_weight": 0.2,
    "prior_scale": 0.4,
}
"""Dials of the search that differ from dictation's: a closed grammar has few ways to go, and
what is said in noise may lie far behind. Chosen on orders that bench/commands.py does not
report."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a sentence asks for."""

    name: str
    slots: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Guess:
    """What the words so far may become: one intent, or several."""

    names: tuple[str, ...]
    slots: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CommandGrammar:
    """Sentences, ready to be heard."""

    model: GraphModel
    network: Network
    blocks: Sequence[Block]
    problems: Sequence[Problem]
    """What was left out, or guessed."""

    def understand(self, text: str) -> Intent | None:
        """What a whole sentence means; None where it is none of the sentences."""
        meaning = self.network.understand(text.split())
        return None if meaning is None else self._intent(meaning)

    def begin(self, text: str) -> Guess | None:
        """What the first words of a sentence may become."""
        found = self.network.begin(text.split())
        if found is None:
            return None
        names = tuple(sorted({self.blocks[number].intent for number in found.blocks}))
        fixed = self.blocks[min(found.blocks)].slots if len(found.blocks) == 1 else {}
        return Guess(names, {**fixed, **found.slots})

    def _intent(self, meaning: Meaning) -> Intent:
        block = self.blocks[meaning.block]
        return Intent(block.intent, {**block.slots, **meaning.slots})


def compile_sentences(sentences: Sentences, base: GraphModel) -> CommandGrammar:
    """Compile; raises ConfigError where no sentence is left that can be said."""
    with _without_collection():
        return _compile(sentences, base)


def _compile(sentences: Sentences, base: GraphModel) -> CommandGrammar:
    problems = list(sentences.problems)
    file = str(sentences.file)
    drawing = Drawing()
    artists: dict[tuple[int, int], Artist] = {}
    drawn = 0
    for number, block in enumerate(sentences.blocks):
        key = id(block.lists), id(block.rules)
        if key not in artists:
            artists[key] = Artist(drawing, block.lists, block.rules, sentences.skip_words)
        for text, line in block.sentences:
            try:
                artists[key].sentence(text, number, block.context)
                drawn += 1
            except ConfigError as error:
                problems.append(Problem(file, line, str(error)))
    if not drawn:
        raise ConfigError(str(problems[0]) if problems else f"{file} has no sentences")
    network = drawing.network()
    net, doubtful = network.word_net()
    pronouncer = Pronouncer(base.pronounce, sentences.pronunciations, loosely=True)
    model, unknown = grammar_model(base, net, pronouncer, **SEARCH)
    problems += [Problem(file, 1, f"nobody knows how to say {word!r}") for word in unknown]
    problems += [
        Problem(
            file, _line_of(sentences, word), f"{word!r} is not in the lexicon: said {how}", True
        )
        for word, how in pronouncer.guessed.items()
    ]
    problems += [
        Problem(file, line, text) for text, line in _ambiguities(sentences.blocks, doubtful)
    ]
    return CommandGrammar(model, network, sentences.blocks, tuple(problems))


def _ambiguities(
    blocks: Sequence[Block], doubtful: Sequence[tuple[str, tuple[int, ...]]]
) -> Iterator[tuple[str, int]]:
    """One complaint for each pair of intents that share a sentence."""
    told = set()
    for text, numbers in doubtful:
        first, *others = (blocks[number] for number in numbers)
        for other in others:
            pair = first.intent, other.intent
            if first.intent != other.intent and pair not in told:
                told.add(pair)
                yield (
                    f"{text!r} means {first.intent} and {other.intent}; it is taken for "
                    f"{first.intent}, which comes first",
                    other.sentences[0][1],
                )


def _line_of(sentences: Sentences, word: str) -> int:
    """The first line of a sentence or value with a word, as far as it can be told."""
    for block in sentences.blocks:
        for text, line in block.sentences:
            if word in text.lower():
                return line
        for values in block.lists.values():
            if isinstance(values, list):
                for value in values:
                    if word in value.text.lower():
                        return int(value.line)
    return 1


@contextmanager
def _without_collection() -> Iterator[None]:
    """Half the time would go into looking for garbage, and there is none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
