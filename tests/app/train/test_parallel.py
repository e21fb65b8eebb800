"""Sharing an epoch among processes, and two real processes that train one model."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from streamasr.app.train.parallel import Group


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 7, 12])
def test_every_process_gets_as_many_batches_and_none_twice(size: int, count: int) -> None:
    shares = [list(Group(rank, size).numbers(count)) for rank in range(size)]
    assert len({len(share) for share in shares}) == 1
    taken = sorted(number for share in shares for number in share)
    assert taken == list(range(count // size * size))


def test_alone_nothing_is_shared() -> None:
    group = Group()
    assert group.leads
    with group.lead_first():
        assert group.agree([0.25, 3.0], torch.device("cpu")) == [0.25, 3.0]
    module = torch.nn.Linear(2, 2)
    assert group.wrap(module) is module


RECIPE = """
[data]
train = ["tones"]
dev = ["tones"]
[units]
[model]
units = 12
mels = 40
conv_channels = 4
width = 16
layers = 2
[augment]
[train]
epochs = 2
decay_epochs = 1
batch_s = 6
threads = 1
workers = 0
"""


def torchrun(data: Path, out: Path, recipe: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
        "--master-addr", "127.0.0.1", "--master-port", str(port),
        "-m", "streamasr", "train", str(recipe), "--data", str(data), "--out", str(out),
    ]  # fmt: skip
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_train_one_model_and_resume(tone_corpus: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    torchrun(tone_corpus, tmp_path / "run", recipe)
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1]
    recipe.write_text(RECIPE.replace("epochs = 2", "epochs = 3"))
    torchrun(tone_corpus, tmp_path / "run", recipe)
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert rows[2]["train_ctc"] < rows[0]["train_ctc"]
