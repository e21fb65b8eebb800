"""The record of a run: one JSON line an epoch, TensorBoard scalars, and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOG = "log.jsonl"
PICTURE = "curve.png"


class Curves:
    """Appends an epoch's figures to the log and redraws the picture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: list[dict[str, Any]] = []
        log = folder / LOG
        if log.is_file():
            self._rows = [json.loads(line) for line in log.read_text().splitlines()]

    def add(self, row: dict[str, Any]) -> None:
        """Add the figures of an epoch; one that was resumed replaces its earlier row."""
        self._rows = [r for r in self._rows if r["epoch"] < row["epoch"]] + [row]
        text = "".join(json.dumps(r) + "\n" for r in self._rows)
        (self._folder / LOG).write_text(text)
        self._tensorboard(row)
        draw(self._rows, self._folder / PICTURE)

    def _tensorboard(self, row: dict[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(self._folder / "tensorboard"))
        for name, value in row.items():
            if name != "epoch" and isinstance(value, int | float):
                writer.add_scalar(name, value, row["epoch"])
        writer.close()


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    """Draw losses on the left axis and dev word error rate on the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, losses = plt.subplots(figsize=(8, 4.5), layout="constrained")
    rates = losses.twinx()
    epochs = [r["epoch"] for r in rows]
    for name, style in (("train_ctc", "C0-"), ("dev_ctc", "C0--"), ("train_phone", "C2-")):
        losses.plot(epochs, [r[name] for r in rows], style, label=name)
    rates.plot(epochs, [100 * r["dev_wer"] for r in rows], "C3-", label="dev WER")
    losses.set(xlabel="epoch", ylabel="loss, nats", ylim=(0, None))
    rates.set(ylabel="word error rate, %", ylim=(0, 100))
    handles = [*losses.get_legend_handles_labels()[0], *rates.get_legend_handles_labels()[0]]
    losses.legend(handles=handles, loc="upper right")
    figure.savefig(file, dpi=120)
    plt.close(figure)
