"""Weights outside of the graph: found wherever they are named, refused unless they are our own."""

import contextlib
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import tomli_w
from onnx import TensorProto, helper, numpy_helper

from streamasr.edge import bundle
from streamasr.edge.engines import open_engine
from streamasr.edge.external import check, references, tensor_spans
from streamasr.errors import BundleError
from tests.conftest import DATA, noise

SHIPPED = DATA.parents[1] / "models" / "en-small"


@pytest.fixture
def copied(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "tiny"))


def outside(name: str, **place: str | int) -> onnx.TensorProto:
    """A tensor that lies elsewhere."""
    tensor = TensorProto(name=name, data_type=TensorProto.INT8, dims=[2, 2])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in place.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def model_of(*nodes: onnx.NodeProto, constants: tuple[onnx.TensorProto, ...] = ()) -> bytes:
    graph = helper.make_graph(list(nodes), "g", [], [], list(constants))
    return bytes(helper.make_model(graph).SerializeToString())


def point_elsewhere(**place: str | int) -> Callable[[Path], None]:
    """Change where the graph of a bundle looks for its first matrix."""

    def change(folder: Path) -> None:
        file = folder / "model.onnx"
        graph = onnx.load(file, load_external_data=False)
        tensor = next(t for t in graph.graph.initializer if t.external_data)
        kept = {e.key: e.value for e in tensor.external_data} | place
        del tensor.external_data[:]
        for key, value in kept.items():
            tensor.external_data.add(key=key, value=str(value))
        file.write_bytes(graph.SerializeToString())

    return change


def sign(folder: Path) -> None:
    """Write the checksums anew: what a forger would do too."""
    facts = folder / "bundle.toml"
    info = tomllib.loads(facts.read_text())
    info["checksums"] = {part: bundle.checksum(folder / part) for part in info["checksums"]}
    facts.write_text(tomli_w.dumps(info))


@pytest.mark.parametrize("folder", ["tiny", "en-small"])
def test_matrices_of_integers_are_stored_once(tiny_bundle: Path, folder: str) -> None:
    path = tiny_bundle if folder == "tiny" else SHIPPED
    loaded = bundle.load(path)
    found = {r.span for r in references(loaded.onnx_file.read_bytes())}
    spans = tensor_spans(loaded.weights_file)
    assert found == {s for name, s in spans.items() if name.endswith(".integers")}
    graph = onnx.load(loaded.onnx_file, load_external_data=False)
    inside = {t.name for t in graph.graph.initializer if t.raw_data and t.data_type == 3}
    assert inside == {"signed_zero"}


def test_a_graph_says_the_same_from_inside_and_outside(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(shutil.copytree(tiny_bundle, tmp_path / "whole"))
    onnx.save(onnx.load(tiny_bundle / "model.onnx"), whole / "model.onnx")
    sign(whole)
    assert not list(references((whole / "model.onnx").read_bytes()))
    answers = []
    monkeypatch.chdir(tmp_path)
    for path in (tiny_bundle, Path("whole")):
        engine = open_engine(path, kind="onnx", device="cpu")
        slot = engine.open()
        samples = noise(engine.facts.step_samples, seed=3)
        answers.append(engine.step([(slot, samples)])[0])
    for outside_, inside in zip(*answers, strict=True):
        np.testing.assert_array_equal(outside_, inside)


def test_a_bundle_may_be_links(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(tiny_bundle)
    files = tmp_path / "files"
    files.mkdir()
    for file in tiny_bundle.iterdir():
        (files / file.name).symlink_to(file)
    for path in (tmp_path / "linked", files):
        assert open_engine(path, kind="onnx", device="cpu").facts.name == "tiny"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (point_elsewhere(location="other.safetensors"), r"'other\.safetensors', which is not"),
        (point_elsewhere(location="../tiny/weights.safetensors"), "which is not"),
        (point_elsewhere(location="./weights.safetensors"), "which is not"),
        (point_elsewhere(location="/etc/passwd"), "'/etc/passwd', which is not"),
        (point_elsewhere(location=""), "which is not"),
        (point_elsewhere(offset=0), "bytes from 0 of weights.safetensors, where no tensor lies"),
        (point_elsewhere(offset="junk"), "where no tensor lies"),
        (point_elsewhere(length=1), "where no tensor lies"),
    ],
)
def test_a_graph_that_looks_elsewhere_is_refused(
    copied: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(copied)
    sign(copied)
    with pytest.raises(BundleError, match=said):
        bundle.load(copied)


def test_another_models_weights_are_refused(copied: Path) -> None:
    shutil.copy(SHIPPED / "weights.safetensors", copied)
    with pytest.raises(BundleError, match="is not the file"):
        bundle.load(copied)
    sign(copied)
    with pytest.raises(BundleError, match="where no tensor lies"):
        bundle.load(copied)


def test_short_weights_are_refused(copied: Path) -> None:
    file = copied / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BundleError, match="is not the file"):
        bundle.load(copied)
    sign(copied)
    with pytest.raises(BundleError, match="a tensor lies outside of the file"):
        bundle.load(copied)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 8, b"\x04" + bytes(7) + b"nope", b"\x02" + bytes(7) + b"[]",
     b"\x08" + bytes(7) + b'{"a": 1}'],
)  # fmt: skip
def test_broken_headers_are_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(content)
    with pytest.raises(BundleError, match="holds no weights"):
        tensor_spans(file)


def test_references_are_found_wherever_a_tensor_may_be() -> None:
    here, there = outside("a", location="x"), outside("b", location="y", offset=8, length=4)
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=there)], "i", [], [])
    branch = helper.make_node("If", ["cond"], ["out"], then_branch=inner, else_branch=inner)
    found = list(references(model_of(branch, constants=(here,))))
    assert {(r.tensor, r.file, *r.span) for r in found} == {("a", "x", -1, -1), ("b", "y", 8, 4)}
    assert len(found) == 3


def test_a_plain_graph_has_none() -> None:
    constant = numpy_helper.from_array(np.arange(300, dtype=np.float32), "c")
    assert list(references(model_of(constants=(constant,)))) == []


def test_a_place_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    tensor = outside("a", location="weights.safetensors")
    tensor.external_data.add(key="location", value="/etc/passwd")
    file = tmp_path / "model.onnx"
    file.write_bytes(model_of(constants=(tensor,)))
    with pytest.raises(BundleError, match="no ONNX model"):
        check(file, tmp_path / "weights.safetensors")


def test_a_graph_cut_anywhere_is_an_error_of_the_bundle(tmp_path: Path) -> None:
    """Unless the cut leaves whole fields, of which none points anywhere."""
    whole = model_of(constants=(outside("a", location="x", offset=1, length=2),))
    file = tmp_path / "model.onnx"
    taken = set[int]()
    for end in range(len(whole) + 1):
        file.write_bytes(whole[:end])
        with contextlib.suppress(BundleError):
            check(file, tmp_path / "weights.safetensors")
            taken.add(end)
    assert taken == {0, 2}  # the second is the version of the format alone
