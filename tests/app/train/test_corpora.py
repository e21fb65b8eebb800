"""torchaudio's dataset classes over their own folder layouts, on a small slice."""

from pathlib import Path

import pytest
import soundfile

from streamasr.app.train.config import DataConfig
from streamasr.app.train.corpora import commonvoice, gather, librispeech, speechcommands
from streamasr.errors import ConfigError
from tests.conftest import noise


def clip(file: Path, seed: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, noise(16_000, seed=seed), 16_000)


def test_librispeech_layout(tmp_path: Path) -> None:
    chapter = tmp_path / "LibriSpeech/train-clean-100/19/198"
    for number in range(2):
        clip(chapter / f"19-198-{number:04d}.flac", number)
    (chapter / "19-198.trans.txt").write_text("19-198-0000 FIRST WORDS\n19-198-0001 MORE\n")
    found = sorted(librispeech(tmp_path, "train-clean-100"), key=lambda u: u.id)
    assert [(u.id, u.text, u.speaker) for u in found] == [
        ("19-198-0000", "FIRST WORDS", "19"),
        ("19-198-0001", "MORE", "19"),
    ]
    assert found[0].duration_s == 1.0
    assert found[0].path.is_file()


def test_commonvoice_layout(tmp_path: Path) -> None:
    clip(tmp_path / "clips/a.wav")
    (tmp_path / "train.tsv").write_text("client_id\tpath\tsentence\nann\ta.wav\tHello there.\n")
    (found,) = commonvoice(tmp_path, "train.tsv")
    assert (found.text, found.speaker, found.split) == ("Hello there.", "ann", "train")


def test_speechcommands_layout(tmp_path: Path) -> None:
    root = tmp_path / "SpeechCommands/speech_commands_v0.02"
    clip(root / "yes/0a7c2a8d_nohash_0.wav")
    clip(root / "no/0b7c2a8d_nohash_1.wav")
    (root / "validation_list.txt").write_text("no/0b7c2a8d_nohash_1.wav\n")
    (root / "testing_list.txt").write_text("")
    assert [u.text for u in speechcommands(tmp_path, "training")] == ["yes"]
    assert [u.text for u in speechcommands(tmp_path, "validation")] == ["no"]


def test_an_absent_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LIBRISPEECH"):
        list(librispeech(tmp_path, "dev-clean"))


def test_what_cannot_be_trained_on_is_left_out(tone_corpus: Path) -> None:
    manifest = (tone_corpus / "tones/manifest.tsv").read_text()
    extra = tone_corpus / "extra"
    extra.mkdir()
    (extra / "manifest.tsv").write_text(
        manifest.splitlines()[0] + "\nu\ta.wav\t2\ts\ttrain\tin 1999\nv\ta.wav\t99\ts\ttrain\thi\n"
    )
    config = DataConfig(train=("tones", "extra"), dev=("tones",))
    train, dev = gather(config, tone_corpus)
    assert {u.corpus for u in train} == {"tones"}
    assert (len(train), len(dev)) == (40, 8)


def test_nothing_to_train_on_is_named(tone_corpus: Path) -> None:
    with pytest.raises(ConfigError, match="0 training and 8 dev"):
        gather(DataConfig(train=("tones:none",), dev=("tones",)), tone_corpus)
