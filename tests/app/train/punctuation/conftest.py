from __future__ import annotations

from pathlib import Path

import pytest

RECIPE = """
[data]
train = ["a.txt"]
dev = ["b.txt"]

[model]
embedding = 8
width = 24
dropout = 0.0

[noise]
changed = 0.0

[train]
epochs = 6
batch = 4
length = 24
learning_rate = 0.02
bfloat16 = false
"""
SENTENCES = (
    "We went home, and Ada slept.",
    "Where is Ada?",
    "Is the dog here?",
    "The dog is here, and we went home.",
    "Ada is here.",
)


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with text that a tiny network can learn, and its recipe."""
    folder = tmp_path_factory.mktemp("toy")
    order = [SENTENCES[(n + n // 5 * (n // 25)) % 5] for n in range(1000)]
    (folder / "a.txt").write_text("\n".join(order) + "\n")
    (folder / "b.txt").write_text("\n".join(SENTENCES) + "\n")
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="session")
def toy_run(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run over it."""
    import torch

    from streamasr.app.train.punctuation.loop import Run
    from streamasr.app.train.punctuation.recipe import load_recipe

    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "toy"
    Run.open(load_recipe(toy_data / "recipe.toml"), data=toy_data, out=out).train()
    return out
