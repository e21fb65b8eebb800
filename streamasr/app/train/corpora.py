"""Where utterances come from: folders of manifests, or torchaudio's dataset folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streamasr.app.manifest import Utterance, select
from streamasr.app.text import is_speakable
from streamasr.app.train.config import DataConfig
from streamasr.errors import ConfigError


def gather(config: DataConfig, data: Path) -> tuple[list[Utterance], list[Utterance]]:
    """Training and dev utterances, those that cannot be trained on left out."""
    train = list(select(data, config.train, config.train_splits))
    dev = list(select(data, config.dev, config.dev_splits))
    for subset in config.librispeech:
        part = dev if subset.startswith("dev") else train
        part.extend(librispeech(data, subset))
    for version in config.commonvoice:
        train.extend(commonvoice(data / version, "train.tsv"))
        dev.extend(commonvoice(data / version, "dev.tsv"))
    if config.speechcommands:
        train.extend(speechcommands(data, "training"))
        dev.extend(speechcommands(data, "validation"))
    kept = [u for u in train if config.min_s <= u.duration_s <= config.max_s]
    kept = [u for u in kept if is_speakable(u.text)]
    dev = [u for u in dev if is_speakable(u.text)]
    if not kept or not dev:
        raise ConfigError(
            f"found {len(kept)} training and {len(dev)} dev utterances in {data}",
            remedy="both are needed: check [data] in the recipe",
        )
    return kept, dev


def librispeech(root: Path, subset: str) -> Iterator[Utterance]:
    """Utterances of torchaudio's LIBRISPEECH layout: root/LibriSpeech/<subset>/..."""
    from torchaudio.datasets import LIBRISPEECH

    dataset = _open(LIBRISPEECH, root, url=subset)
    for index in range(len(dataset)):
        path, _, text, speaker, chapter, number = dataset.get_metadata(index)
        file = root / "LibriSpeech" / path
        name = f"{speaker}-{chapter}-{number:04d}"
        yield Utterance(name, file, _duration(file), str(speaker), subset, text, subset)


def commonvoice(root: Path, tsv: str) -> Iterator[Utterance]:
    """Utterances of torchaudio's COMMONVOICE layout: root/<tsv> and root/clips."""
    from torchaudio.datasets import COMMONVOICE

    dataset = _open(COMMONVOICE, root, tsv=tsv)
    header, rows = dataset._header, dataset._walker  # metadata without decoding the audio
    for row in rows:
        entry = dict(zip(header, row, strict=True))
        file = root / "clips" / entry["path"]
        split = tsv.removesuffix(".tsv")
        yield Utterance(
            file.stem, file, _duration(file), entry["client_id"], split, entry["sentence"],
            root.name,
        )  # fmt: skip


def speechcommands(root: Path, subset: str) -> Iterator[Utterance]:
    """Utterances of torchaudio's SPEECHCOMMANDS layout; the label is the text."""
    from torchaudio.datasets import SPEECHCOMMANDS

    dataset = _open(SPEECHCOMMANDS, root, subset=subset)
    for index in range(len(dataset)):
        path, _, label, speaker, number = dataset.get_metadata(index)
        file = root / "SpeechCommands" / path
        name = f"{label}-{speaker}-{number}"
        yield Utterance(name, file, _duration(file), speaker, subset, label, "speechcommands")


def _open(kind: type, root: Path, **options: str):  # type: ignore[no-untyped-def]
    try:
        return kind(root=str(root), **options)
    except (RuntimeError, FileNotFoundError) as error:
        raise ConfigError(
            f"torchaudio finds no {kind.__name__} in {root}: {error}",
            remedy="put the unpacked data set there",
        ) from None


def _duration(file: Path) -> float:
    import soundfile

    return float(soundfile.info(file).duration)
