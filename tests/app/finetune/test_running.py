"""The whole road on six clips: align, adapt, write, measure; and what is refused on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamasr.app.evaluate import Task, decode_all
from streamasr.app.facts import read_facts
from streamasr.app.finetune.gathering import Speech, gather
from streamasr.app.finetune.running import Outcome, Score, make, prepare
from streamasr.app.train.adapt import Adapted
from streamasr.app.wer import Errors
from streamasr.edge.bundle import CARD_FILE, load
from streamasr.edge.lm.compile import load_graph
from streamasr.errors import UsageError
from tests.app.finetune.conftest import record
from tests.app.finetune.test_adapt import QUICK

pytestmark = pytest.mark.timeout(300)


def working(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_the_way_from_speech_to_a_model_on_a_small_network(
    speech: Speech, small_bundle: Path, tmp_path: Path, all_fits: None
) -> None:
    base, told = load(small_bundle), []
    work = working(tmp_path / "work")
    outcome = make(base, speech, work, name="small-me", options=QUICK, tell=told.append)
    made = load(outcome.candidate)
    assert made.facts.name == "small-me"
    assert (made.config, made.facts.units) == (base.config, base.facts.units)
    assert made.info["decode"] == base.info["decode"]
    assert (
        made.info["checksums"]["weights.safetensors"]
        != (base.info["checksums"]["weights.safetensors"])
    )
    assert made.info["personal"]["base"] == "small"
    assert made.info["personal"]["rounds"] == outcome.adapted.best > 0
    assert (outcome.candidate / CARD_FILE).read_text().startswith("# small-me\n")
    assert set(outcome.scores) == {"greedy"}
    assert set(made.info["results"]) == {"held_back_greedy"}
    assert any("round 2" in line for line in told)


@pytest.mark.slow
def test_a_personal_model_is_the_old_one_with_another_network(
    speech: Speech, spoken_bundle: Path, tmp_path: Path
) -> None:
    base, work = load(spoken_bundle), working(tmp_path / "work")
    outcome = make(base, speech, work, name="spoken-me", options=QUICK)
    made = load(outcome.candidate)
    assert made.facts.name == "spoken-me"
    assert made.config == base.config
    assert made.facts.units == base.facts.units
    assert (made.info["graph"], made.info["decode"]) == (base.info["graph"], base.info["decode"])
    assert load_graph(made).log_priors.tolist() == load_graph(base).log_priors.tolist()
    sums = made.info["checksums"], base.info["checksums"]
    assert sums[0]["lm/lm.arpa.xz"] == sums[1]["lm/lm.arpa.xz"]
    assert sums[0]["weights.safetensors"] != sums[1]["weights.safetensors"]
    assert made.info["personal"]["base"] == "spoken"
    assert made.info["personal"]["rounds"] == outcome.adapted.best
    card = (outcome.candidate / CARD_FILE).read_text()
    assert card.startswith("# spoken-me\n")
    assert card.endswith((spoken_bundle / CARD_FILE).read_text())
    # the scores are those of the int8 models, streamed, and stand in bundle.toml
    assert set(outcome.scores) == {"greedy", "graph"}
    held = speech.utterances[3::6]
    again = sum((r.errors for r in decode_all(Task(outcome.candidate), held)), Errors())
    assert outcome.scores["graph"].after == again
    results = read_facts(outcome.candidate)["results"]
    assert set(results) == {"held_back_greedy", "held_back_graph"}
    assert results["held_back_graph"]["wer"] == pytest.approx(again.rate, abs=1e-4)


def test_a_model_is_better_only_with_fewer_errors_in_all() -> None:
    def outcome(before: int, after: int, held: list[float]) -> Outcome:
        score = Score(Errors(before, 0, 0, 99), Errors(after, 0, 0, 99))
        same = Score(Errors(1, 0, 0, 99), Errors(1, 0, 0, 99))
        adapted = Adapted(None, held)  # type: ignore[arg-type]
        return Outcome(Path(), adapted, Speech(), {"greedy": score, "graph": same}, 1.0)

    assert outcome(5, 4, [2.0, 1.0]).is_better
    assert not outcome(5, 5, [2.0, 1.0]).is_better
    assert not outcome(5, 6, [2.0, 1.0]).is_better
    assert not outcome(5, 4, [1.0, 2.0]).is_better, "no round was better"


def test_texts_that_were_not_said_are_left_out(
    tmp_path: Path, plain_bundle: Path, little_is_enough: None
) -> None:
    folder = record(tmp_path / "speech", copies=3)
    for text in folder.glob("2-*.txt"):
        text.write_text("nobody ever said anything like this into a microphone")
    speech = gather(folder)
    practice, held = prepare(load(plain_bundle), speech, working(tmp_path / "work"))
    assert [u.id[0] for u in speech.utterances] == ["0"] * 3 + ["1"] * 3
    assert len(practice.utterances) + len(held.utterances) == 6
    assert "3 whose sound does not fit the text" in speech.told()


def test_speech_none_of_which_was_said_is_refused(
    tmp_path: Path, plain_bundle: Path, little_is_enough: None
) -> None:
    folder = record(tmp_path / "speech")
    for text in folder.glob("*.txt"):
        text.write_text("nobody ever said anything like this into a microphone")
    with pytest.raises(UsageError, match="6 whose sound does not fit the text"):
        make(load(plain_bundle), gather(folder), working(tmp_path / "work"), name="plain-me")
