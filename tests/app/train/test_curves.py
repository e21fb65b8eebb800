import json
from pathlib import Path

from streamasr.app.train.curves import Curves


def row(epoch: int, wer: float) -> dict[str, float]:
    losses = {"train_ctc": 3.0, "dev_ctc": 2.5, "train_phone": 1.0}
    return {"epoch": epoch, "dev_wer": wer, **losses}


def test_figures_are_logged_drawn_and_survive_a_resume(tmp_path: Path) -> None:
    Curves(tmp_path).add(row(0, 0.9))
    curves = Curves(tmp_path)
    curves.add(row(1, 0.8))
    curves.add(row(1, 0.7))  # the epoch was run again after a kill
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(r["epoch"], r["dev_wer"]) for r in rows] == [(0, 0.9), (1, 0.7)]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "tensorboard").glob("events*"))
