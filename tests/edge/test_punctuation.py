import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from streamasr.core.punctuation.punctuator import Punctuator
from streamasr.core.punctuation.tokens import PAUSE, Mark, features
from streamasr.edge.punctuation import FACTS_KEY, FILE, OnnxNetwork, find
from streamasr.errors import BundleError


def test_the_shipped_model_is_small_and_is_found() -> None:
    file = find()
    assert file == find("en-punctuation")
    assert file.stat().st_size < 5_000_000
    assert find(str(file.parent)) == file


def test_a_model_that_is_not_there_is_told() -> None:
    with pytest.raises(BundleError, match="no punctuation model named 'other'"):
        find("other")


def test_the_shipped_model_knows_a_question_a_sentence_and_a_name() -> None:
    punctuator = Punctuator(OnnxNetwork(find()))
    said = "where do you live I live in London".lower().split()
    written, memory = punctuator.read([*said[:4], PAUSE], punctuator.start)
    assert written[3].mark is Mark.QUESTION
    written, _ = punctuator.read([*said[4:], PAUSE], memory)
    assert written[3].mark is Mark.STOP
    assert written[3].case.name == "CAPITAL"
    assert written[1].case.name == "LOWER"


def test_a_text_word_by_word_is_the_text_as_a_whole() -> None:
    network = OnnxNetwork(find())
    rng = np.random.default_rng(0)
    ids = np.array([features(str(n)) for n in rng.integers(0, 1000, 40)], np.int64)
    whole, end = network.run(ids, network.start)
    memory, parts = network.start, []
    for row in ids:
        scores, memory = network.run(row[None], memory)
        parts.append(scores)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    np.testing.assert_allclose(memory[0], end[0], atol=1e-5)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.write_bytes(b"no model")
    with pytest.raises(BundleError, match="cannot run"):
        OnnxNetwork(file)


@pytest.mark.parametrize(
    ("facts", "message"),
    [(None, "is no punctuation model"), ({"format": 99}, "this program reads")],
)
def test_a_model_of_another_format_is_refused(tmp_path: Path, facts: object, message: str) -> None:
    proto = onnx.load(find())
    del proto.metadata_props[:]
    if facts is not None:
        onnx.helper.set_model_props(proto, {FACTS_KEY: json.dumps(facts)})
    onnx.save(proto, tmp_path / FILE)
    with pytest.raises(BundleError, match=message):
        OnnxNetwork(tmp_path / FILE)
