from pathlib import Path

import pytest
import torch

from streamasr.edge.weights import pack, quantise_rows, read_weights, unpack, write_weights
from streamasr.errors import BundleError


def some_weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "lstm.weight": torch.randn(6, 20),
        "conv.weight": torch.randn(2, 1, 3, 3),
        "log_mel.mean": torch.randn(4),
    }


def test_what_was_written_is_read_as_it_will_run(tmp_path: Path) -> None:
    weights = some_weights()
    packed = pack(weights, {"lstm.weight"})
    write_weights(packed, tmp_path / "weights.safetensors")
    found = read_weights(tmp_path / "weights.safetensors")
    assert set(found) == set(weights)
    assert packed["lstm.weight.integers"].dtype == torch.int8
    assert packed["lstm.weight.integers"].shape == (20, 6)
    torch.testing.assert_close(found["lstm.weight"], weights["lstm.weight"], atol=0.02, rtol=0)
    torch.testing.assert_close(found["conv.weight"], weights["conv.weight"], atol=2e-3, rtol=0)
    torch.testing.assert_close(found["log_mel.mean"], weights["log_mel.mean"], atol=0, rtol=0)


def test_packing_again_changes_nothing() -> None:
    once = unpack(pack(some_weights(), {"lstm.weight"}))
    integers, scales = quantise_rows(once["lstm.weight"])
    again = integers.float() * scales[:, None]
    torch.testing.assert_close(again, once["lstm.weight"], atol=1e-7, rtol=1e-6)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"nonsense")
    with pytest.raises(BundleError, match=r"weights\.safetensors"):
        read_weights(file)


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_quantised_to_within_half_a_step(seed: int) -> None:
    weight = torch.randn(6, 20, generator=torch.Generator().manual_seed(seed))
    integers, scales = quantise_rows(weight)
    assert integers.abs().max() == 127
    error = (integers * scales[:, None] - weight).abs()
    assert (error <= scales[:, None] * 0.5001).all()


def test_a_row_of_zeros_stays_zero() -> None:
    integers, scales = quantise_rows(torch.zeros(1, 4))
    assert not integers.any()
    assert scales.isfinite().all()
