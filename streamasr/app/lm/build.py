"""From text to what the graph decoder needs: a pruned 3-gram and a lexicon in a folder.

language = learn_language(books, mixed=[Part((Path("commands.txt.gz"),), 0.1)])
report = language.write(Path("models/en-small/lm"), threshold=2e-7)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamasr.app.lm.corpus import Corpus, rank_words
from streamasr.app.lm.estimate import Table, count_stream, estimate
from streamasr.app.lm.mix import mix_tables
from streamasr.app.lm.prune import interpolate, prune
from streamasr.app.lm.sentences import spoken_words
from streamasr.app.lm.spelled import spelled_sentences
from streamasr.app.lm.spelling import cached_speller
from streamasr.edge.lm.arpa import write_arpa
from streamasr.edge.lm.lexicon import Lexicon, read_cmudict, write_lexicon
from streamasr.edge.lm.ngram import SPECIAL, NGram, perplexity
from streamasr.errors import ConfigError, UsageError

ARPA_FILE = "lm.arpa.xz"
LEXICON_FILE = "lexicon.txt.xz"
SPELT_WORDS = 30_000
"""The most frequent words, which the generated sentences spell."""
WORTHLESS = 2e-9
"""What has no weight alone has none in a mixture, and mixing takes memory."""


@dataclass(frozen=True, slots=True)
class Part:
    """Texts of another kind than the main ones, and their weight in the mixture."""

    texts: tuple[Path, ...]
    weight: float

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1:
            raise ConfigError(f"the weight of a part lies between 0 and 1, not at {self.weight}")


@dataclass(frozen=True, slots=True)
class LanguageOptions:
    """The dials of a language model."""

    order: int = 3
    words: int = 60_000
    least: int = 1
    """Longest n-grams seen fewer times in the main texts are not learnt. 2 saves memory
    from some tens of millions of words on; pruning takes nearly all of them anyway."""
    joined: float = 0.0
    """Share of the main texts' sentences that run on into the next one, as they do in
    speech that is cut at pauses."""
    spelled: int = 0
    """Generated sentences of spelling, numbers and dates that join the main texts."""
    guess: bool = True
    """Whether words that no dictionary holds are said by letter-to-sound rules."""
    variants: int = 2
    """Pronunciations guessed at most for such a word."""

    def __post_init__(self) -> None:
        if min(self.order, self.words, self.variants, self.least) < 1:
            raise ConfigError("order, words, variants and least must be at least 1")
        if not 0 <= self.joined <= 1:
            raise ConfigError(f"joined must lie between 0 and 1, not at {self.joined}")


@dataclass(frozen=True, slots=True)
class LanguageReport:
    """What came out of a build."""

    sentences: int
    left_out: int
    """Sentences dropped for lying near held-out text."""
    words: int
    guessed: int
    sizes: tuple[int, ...]
    held_out_perplexity: float | None
    held_out_unknown: float | None
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """What was learnt from text, before pruning: `write` can make it any size."""

    model: NGram
    histories: Sequence[Table]
    """Counts that tell how much a history matters."""
    lexicon: Lexicon
    held_out: Sequence[str]
    sentences: int
    left_out: int
    guessed: int

    def write(self, out: Path, threshold: float) -> LanguageReport:
        """Prune, write the folder ``out``, and measure."""
        model = prune(self.model, self.histories, threshold)
        words = model.words[len(SPECIAL) :]
        out.mkdir(parents=True, exist_ok=True)
        write_arpa(model, out / ARPA_FILE)
        write_lexicon({word: self.lexicon[word] for word in words}, out / LEXICON_FILE)
        held = [spoken_words(sentence) for sentence in self.held_out]
        measured = perplexity(model, held) if held else (None, None)
        return LanguageReport(
            sentences=self.sentences,
            left_out=self.left_out,
            words=len(words),
            guessed=self.guessed,
            sizes=model.sizes,
            held_out_perplexity=measured[0],
            held_out_unknown=measured[1],
            bytes=sum((out / name).stat().st_size for name in (ARPA_FILE, LEXICON_FILE)),
        )


def learn_language(
    texts: Sequence[Path],
    *,
    mixed: Sequence[Part] = (),
    held_out: Iterable[str] = (),
    dictionary: Path | None = None,
    options: LanguageOptions | None = None,
) -> Language:
    """Learn from ``texts``; raises ConfigError without usable text, UsageError without a file.

    The model of ``texts`` is mixed with one of each of the ``mixed`` parts, and gets the
    weight that they leave. What lies near a ``held_out`` sentence in a text is not learnt,
    so the perplexity and any error rate measured on those sentences are honest.
    """
    options = options or LanguageOptions()
    held = list(held_out)
    for file in [*texts, *(file for part in mixed for file in part.texts)]:
        if not file.is_file():  # before minutes are spent on the others
            raise UsageError(f"no such file: {file}")
    weights = [1 - sum(part.weight for part in mixed), *(part.weight for part in mixed)]
    if weights[0] <= 0:
        raise ConfigError("the weights of mixed parts must leave some for the main texts")
    total, corpora = _gather([texts, *(part.texts for part in mixed)], held)
    kept = sum(corpus.sentences for corpus in corpora)
    corpora[0] = corpora[0].run_on(options.joined)
    if options.spelled:
        often = rank_words(corpora, weights)[:SPELT_WORDS]
        said = spelled_sentences(often, options.spelled, np.random.default_rng(0))
        corpora[0] = Corpus.join([corpora[0], Corpus.of(said)])
    ranked = rank_words(corpora, weights)
    lexicon = read_cmudict(dictionary)
    guessed = _complete(lexicon, ranked[: options.words], options) if options.guess else 0
    usable = [word for word in ranked if lexicon.get(word)]
    words = (*SPECIAL, *usable[: options.words])
    model, histories = _estimate(corpora, weights, words, options)
    return Language(model, histories, lexicon, held, kept, total - kept, guessed)


def _gather(parts: Sequence[Sequence[Path]], held_out: Sequence[str]) -> tuple[int, list[Corpus]]:
    """The number of all sentences, and each part's without those near held-out ones."""
    total, corpora = 0, []
    for files in parts:
        read = [Corpus.read([file]) for file in files]
        total += sum(corpus.sentences for corpus in read)
        corpora.append(Corpus.join([corpus.without(held_out) for corpus in read]))
    return total, corpora


def _estimate(
    corpora: Sequence[Corpus],
    weights: Sequence[float],
    words: tuple[str, ...],
    options: LanguageOptions,
) -> tuple[NGram, list[Table]]:
    """The mixture of the texts' models, and the counts to prune it by."""
    least = [1] * (options.order - 1) + [options.least if options.order > 1 else 1]
    models, histories = [], []
    for number, corpus in enumerate(corpora):
        tables = count_stream(corpus.encode(words), len(words), options.order)
        model = estimate(words, tables, () if number else least)
        if len(corpora) > 1:
            model = prune(model, tables, WORTHLESS)
        models.append(model)
        histories.append(tables[: max(1, options.order - 1)])
    if len(corpora) == 1:
        return models[0], histories[0]
    return interpolate(models, weights), mix_tables(histories, weights)


def _complete(lexicon: Lexicon, ranked: Sequence[str], options: LanguageOptions) -> int:
    """Say the words that ``lexicon`` lacks; how many."""
    missing = [word for word in ranked if word not in lexicon]
    if not missing:
        return 0
    speller = cached_speller(lexicon)
    guesses = {word: speller.say(word, variants=options.variants) for word in missing}
    lexicon.update({word: ways for word, ways in guesses.items() if ways})
    return sum(1 for ways in guesses.values() if ways)
