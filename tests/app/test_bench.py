import json
from pathlib import Path

import pytest

from streamasr.app.cli import run
from tests.conftest import DATA


def test_bench_engine_prints_a_table_and_a_line_of_json(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = str(DATA / "163-122947-0014.flac")
    call = ["bench", "engine", "--device", "cpu", "--streams", "2", "--audio", clip]
    with pytest.raises(SystemExit) as leaving:
        run([*call, "--model", str(tiny_bundle)])
    assert not leaving.value.code
    head, row, line = capsys.readouterr().out.splitlines()
    assert "STREAMS" in head
    assert row.split()[:2] == ["cpu", "2+"]
    figures = json.loads(line)
    assert figures["model"] == "tiny"
    assert figures["different"] == 0
    assert set(figures["step_ms"]) == {"p50", "p95", "p99"}


def test_bench_engine_needs_the_device_that_it_is_told(
    tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(SystemExit) as leaving:
        run(["bench", "engine", "--device", "cuda", "--model", str(tiny_bundle)])
    assert leaving.value.code == 2
    assert "no CUDA device" in capsys.readouterr().err
