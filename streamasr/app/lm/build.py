"""From text to what the graph decoder needs: a pruned 3-gram and a lexicon in a folder.

report = build_language([Path("books.txt.gz")], Path("models/en-small/lm"))
graph = compile_language(Path("models/en-small/lm"), cache=Path("graph.fst"))
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamasr.app.lm.arpa import read_arpa, write_arpa
from streamasr.app.lm.estimate import choose_words, count, estimate
from streamasr.app.lm.lexicon import Lexicon, read_cmudict, read_lexicon, write_lexicon
from streamasr.app.lm.ngram import SPECIAL, perplexity
from streamasr.app.lm.prune import prune
from streamasr.app.lm.sentences import HeldOut, read_sentences, spoken_words
from streamasr.app.lm.spelling import Speller
from streamasr.edge.lm.graph import build_graph
from streamasr.errors import ConfigError

ARPA_FILE = "lm.arpa.gz"
LEXICON_FILE = "lexicon.txt.gz"
GRAPH_FORMAT = 1
"""Part of a compiled graph's name: counted up when the compiler changes."""


@dataclass(frozen=True, slots=True)
class LanguageOptions:
    """The dials of a language model."""

    order: int = 3
    words: int = 60_000
    threshold: float = 2e-7
    """Rise of perplexity below which an n-gram is pruned."""
    guess: bool = True
    """Whether words that no dictionary holds are said by letter-to-sound rules."""
    variants: int = 2
    """Pronunciations guessed at most for such a word."""

    def __post_init__(self) -> None:
        if self.order < 1 or self.words < 1 or self.variants < 1 or self.threshold < 0:
            raise ConfigError("order, words and variants must be at least 1, threshold 0")


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
    held_out: Iterable[str] = (),
    dictionary: Path | None = None,
    options: LanguageOptions | None = None,
) -> LanguageReport:
    """Train on ``texts`` and write ``out``; raises ConfigError without usable text.

    What lies near a ``held_out`` sentence in a text is not learnt, so the perplexity and
    any error rate measured on those sentences are honest.
    """
    options = options or LanguageOptions()
    held = list(held_out)
    sentences, left_out = _gather(texts, held)
    lexicon = read_cmudict(dictionary)
    guessed = _complete(lexicon, sentences, options) if options.guess else 0
    known = frozenset(word for word, ways in lexicon.items() if ways)
    words = choose_words(sentences, size=options.words, known=known)
    tables = count(sentences, words, options.order)
    model = prune(estimate(words, tables), tables, options.threshold)
    out.mkdir(parents=True, exist_ok=True)
    write_arpa(model, out / ARPA_FILE)
    write_lexicon({word: lexicon[word] for word in words[len(SPECIAL) :]}, out / LEXICON_FILE)
    measured = perplexity(model, [spoken_words(s) for s in held]) if held else (None, None)
    return LanguageReport(
        sentences=len(sentences),
        left_out=left_out,
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


def _gather(texts: Sequence[Path], held_out: Sequence[str]) -> tuple[list[list[str]], int]:
    held = HeldOut(held_out)
    kept: list[list[str]] = []
    total = 0
    for text in texts:
        sentences = read_sentences(text)
        total += len(sentences)
        kept += held.filter(sentences)
    return kept, total - len(kept)


def _complete(
    lexicon: Lexicon, sentences: Sequence[Sequence[str]], options: LanguageOptions
) -> int:
    """Say the words that are frequent enough and that ``lexicon`` lacks; how many."""
    seen = frozenset(word for sentence in sentences for word in sentence)
    ranked = choose_words(sentences, size=options.words, known=seen)[len(SPECIAL) :]
    missing = [word for word in ranked if word not in lexicon]
    if not missing:
        return 0
    speller = Speller.learn(lexicon)
    guesses = {word: speller.say(word, variants=options.variants) for word in missing}
    lexicon.update({word: ways for word, ways in guesses.items() if ways})
    return sum(1 for ways in guesses.values() if ways)
