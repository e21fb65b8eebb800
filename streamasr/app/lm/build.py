"""From text to what the graph decoder needs: a pruned 3-gram and a lexicon in a folder.

report = build_language([Path("books.txt.gz")], Path("models/en-small/lm"))
report = build_language(books, folder, mixed=[Part((Path("commands.txt.gz"),), 0.1)])
graph = compile_language(Path("models/en-small/lm"), cache=Path("graph.fst"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamasr.app.lm.corpus import Corpus, rank_words
from streamasr.app.lm.estimate import count_stream, estimate
from streamasr.app.lm.mix import mix_tables
from streamasr.app.lm.prune import interpolate, prune
from streamasr.app.lm.sentences import spoken_words
from streamasr.app.lm.spelling import cached_speller
from streamasr.edge.lm.arpa import read_arpa, write_arpa
from streamasr.edge.lm.graph import build_graph
from streamasr.edge.lm.lexicon import Lexicon, read_cmudict, read_lexicon, write_lexicon
from streamasr.edge.lm.ngram import SPECIAL, NGram, perplexity
from streamasr.errors import ConfigError

ARPA_FILE = "lm.arpa.gz"
LEXICON_FILE = "lexicon.txt.gz"
GRAPH_FORMAT = 1
"""Part of a compiled graph's name: counted up when the compiler changes."""


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
    threshold: float = 2e-7
    """Rise of perplexity below which an n-gram is pruned."""
    least: int = 1
    """Longest n-grams seen fewer times in the main texts are not learnt. 2 saves memory
    from some tens of millions of words on; pruning takes nearly all of them anyway."""
    joined: float = 0.0
    """Share of the main texts' sentences that run on into the next one, as they do in
    speech that is cut at pauses."""
    guess: bool = True
    """Whether words that no dictionary holds are said by letter-to-sound rules."""
    variants: int = 2
    """Pronunciations guessed at most for such a word."""

    def __post_init__(self) -> None:
        if min(self.order, self.words, self.variants, self.least) < 1 or self.threshold < 0:
            raise ConfigError("order, words, variants and least must be at least 1, threshold 0")
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


def build_language(
    texts: Sequence[Path],
    out: Path,
    *,
    mixed: Sequence[Part] = (),
    held_out: Iterable[str] = (),
    dictionary: Path | None = None,
    options: LanguageOptions | None = None,
) -> LanguageReport:
    """Train on ``texts`` and write ``out``; raises ConfigError without usable text.

    The model of ``texts`` is mixed with one of each of the ``mixed`` parts, and gets the
    weight that they leave. What lies near a ``held_out`` sentence in a text is not learnt,
    so the perplexity and any error rate measured on those sentences are honest.
    """
    options = options or LanguageOptions()
    held = list(held_out)
    weights = [1 - sum(part.weight for part in mixed), *(part.weight for part in mixed)]
    if weights[0] <= 0:
        raise ConfigError("the weights of mixed parts must leave some for the main texts")
    total, corpora = _gather([texts, *(part.texts for part in mixed)], held)
    kept = sum(corpus.sentences for corpus in corpora)
    corpora[0] = corpora[0].run_on(options.joined)
    ranked = rank_words(corpora, weights)
    lexicon = read_cmudict(dictionary)
    guessed = _complete(lexicon, ranked[: options.words], options) if options.guess else 0
    usable = [word for word in ranked if lexicon.get(word)]
    words = (*SPECIAL, *usable[: options.words])
    model = _estimate(corpora, weights, words, options)
    out.mkdir(parents=True, exist_ok=True)
    write_arpa(model, out / ARPA_FILE)
    write_lexicon({word: lexicon[word] for word in words[len(SPECIAL) :]}, out / LEXICON_FILE)
    measured = perplexity(model, [spoken_words(s) for s in held]) if held else (None, None)
    return LanguageReport(
        sentences=kept,
        left_out=total - kept,
        words=len(words) - len(SPECIAL),
        guessed=guessed,
        sizes=model.sizes,
        held_out_perplexity=measured[0],
        held_out_unknown=measured[1],
        bytes=sum((out / name).stat().st_size for name in (ARPA_FILE, LEXICON_FILE)),
    )


def compile_language(folder: Path, cache: Path) -> tuple[Path, tuple[str, ...]]:
    """The compiled graph's file in ``cache``, made where it is missing, and the words.

    The name bears a checksum of what the graph is made of, so a stale one is never used.
    """
    digest = hashlib.sha256(str(GRAPH_FORMAT).encode())
    for name in (ARPA_FILE, LEXICON_FILE):
        digest.update((folder / name).read_bytes())
    model = read_arpa(folder / ARPA_FILE)
    file = cache / f"graph-{digest.hexdigest()[:16]}.fst"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        build_graph(model, read_lexicon(folder / LEXICON_FILE)).write(file)
    return file, model.words


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
) -> NGram:
    """The mixture of the texts' models, pruned."""
    least = [1] * (options.order - 1) + [options.least if options.order > 1 else 1]
    models, histories = [], []
    for number, corpus in enumerate(corpora):
        tables = count_stream(corpus.encode(words), len(words), options.order)
        model = estimate(words, tables, () if number else least)
        if len(corpora) > 1:
            # what has no weight alone has none in a mixture, and mixing takes memory
            model = prune(model, tables, options.threshold / 10)
        models.append(model)
        histories.append(tables[: max(1, options.order - 1)])
    if len(corpora) == 1:
        return prune(models[0], histories[0], options.threshold)
    return prune(interpolate(models, weights), mix_tables(histories, weights), options.threshold)


def _complete(lexicon: Lexicon, ranked: Sequence[str], options: LanguageOptions) -> int:
    """Say the words that ``lexicon`` lacks; how many."""
    missing = [word for word in ranked if word not in lexicon]
    if not missing:
        return 0
    speller = cached_speller(lexicon)
    guesses = {word: speller.say(word, variants=options.variants) for word in missing}
    lexicon.update({word: ways for word, ways in guesses.items() if ways})
    return sum(1 for ways in guesses.values() if ways)
