"""``streamasr lm``: make a language model, put it into a bundle, tune it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamasr.app.live import LiveLine
from streamasr.app.options import CorpusArgument, LimitOption, SplitOption
from streamasr.errors import UsageError

if TYPE_CHECKING:
    from streamasr.app.lm.build import LanguageReport, Part


def build(
    texts: Annotated[
        list[Path], typer.Argument(metavar="TEXT...", help="A sentence a line; .gz may be.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write.")],
    held_out: Annotated[
        Path | None,
        typer.Option(
            "--held-out",
            metavar="FILE",
            help="Sentences to measure on; what lies near them in a TEXT is not learnt.",
        ),
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option(
            "--mix",
            metavar="TEXT,...:WEIGHT",
            help="Other texts, and the weight of their own model in the whole. Repeatable.",
        ),
    ] = None,
    words: Annotated[
        int, typer.Option("--words", min=1, help="The most frequent words that are known.")
    ] = 60_000,
    spelled: Annotated[
        int, typer.Option("--spelled", min=0, help="Add sentences of spelling, numbers, dates.")
    ] = 0,
    joined: Annotated[
        float, typer.Option("--joined", min=0, max=1, help="Share of sentences that run on.")
    ] = 0.0,
    least: Annotated[
        int, typer.Option("--least", min=1, help="Trigrams seen fewer times are not learnt.")
    ] = 1,
    size_mb: Annotated[
        float | None, typer.Option("--size-mb", min=0.01, help="Prune to this size, by trying.")
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, help="Prune n-grams of less gain.")
    ] = 2e-7,
) -> None:
    """Make a language model of text: a trigram and the pronunciations of its words.

    Needs the extra [train].

    \b
    Example:
      streamasr lm build books.txt.gz --out lm --size-mb 6
    """
    from streamasr.app.lm.build import LanguageOptions, learn_language
    from streamasr.app.lm.sized import write_sized

    options = LanguageOptions(words=words, spelled=spelled, joined=joined, least=least)
    parts = [read_part(text) for text in mix or ()]
    sentences = held_out.read_text(encoding="utf-8").splitlines() if held_out else []
    language = learn_language(texts, mixed=parts, held_out=sentences, options=options)
    if size_mb is None:
        report = language.write(out, threshold)
    else:
        report = write_sized(language, out, size_mb=size_mb, threshold=threshold)
    show_build(out, report)


def show_build(out: Path, report: LanguageReport) -> None:
    """Print what came out of a build."""
    sizes = " + ".join(f"{size:,}" for size in report.sizes)
    print(f"{out}: {report.words:,} words, {sizes} n-grams, {report.bytes / 1e6:.1f} MB")
    print(f"{report.sentences:,} sentences learnt, {report.left_out:,} near held-out ones left out")
    if report.held_out_perplexity is not None and report.held_out_unknown is not None:
        print(
            f"held out: perplexity {report.held_out_perplexity:.0f}, "
            f"{report.held_out_unknown:.1%} of the words unknown"
        )


def read_part(text: str) -> Part:
    """A part of ``--mix``: files with commas between them, a colon and a weight."""
    from streamasr.app.lm.build import Part

    names, _, weight = text.rpartition(":")
    files = tuple(Path(name) for name in names.split(",") if name)
    try:
        share = float(weight)
    except ValueError:
        share = 0.0
    if not files or not share:
        raise UsageError(f"--mix {text!r} is not TEXT,...:WEIGHT", remedy="as in a.txt,b.txt:0.1")
    return Part(files, share)


def add(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The model folder.")],
    language: Annotated[Path, typer.Argument(metavar="DIR", help="What `lm build` wrote.")],
    audio: Annotated[
        list[Path],
        typer.Option("--audio", metavar="FILE|DIR", help="Training speech: files, or a corpus."),
    ],
) -> None:
    """Put a language model into a model folder, so that it can use the graph decoder.

    Needs the extra [train]. The scales start from defaults: `lm tune` is the next step.

    \b
    Example:
      streamasr lm add models/mine lm --audio data/librispeech_train_clean_5
    """
    from streamasr.app.lm.attach import attach, speech

    attach(model, language, speech(audio))
    print(f"{model}: has the language model of {language}; next: streamasr lm tune {model} DIR")


def tune(
    model: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The model folder.")],
    folder: CorpusArgument,
    split: SplitOption = None,
    limit: LimitOption = None,
) -> None:
    """Choose the scales of a model's graph decoder and calibrate its confidences.

    Needs the extra [train]. Use speech that is neither trained nor tested on; takes
    some minutes for half an hour of it, and changes bundle.toml.

    \b
    Example:
      streamasr lm tune models/mine data/librispeech_train_clean_5 --split dev
    """
    from streamasr.app.facts import read_facts, write_facts
    from streamasr.app.lm.tune import tune as tune_scales
    from streamasr.app.manifest import choose, read_manifest
    from streamasr.app.mixing import read_clip
    from streamasr.edge.engines import open_engine

    utterances = choose(read_manifest(folder), split=split, limit=limit)
    engine = open_engine(model, device="cpu", kind="onnx", capacity=16, decoder="graph")
    line = LiveLine(sys.stderr)
    clips = (read_clip(u.path) for u in utterances)
    report = tune_scales(engine, [u.text for u in utterances], clips, note=line.show)
    line.clear()
    info = read_facts(model)
    info["graph"] |= report.tables()
    write_facts(model, info)
    for table, values in report.tables().items():
        print(table, " ".join(f"{name}={value:g}" for name, value in values.items()))
    print(
        f"word error rate on {len(utterances)} utterances or the part of them that was tried: "
        f"{report.before.rate:.2%} before, {report.after.rate:.2%} after"
    )


lm = {"build": build, "add": add, "tune": tune}
"""The verbs below ``streamasr lm``."""
