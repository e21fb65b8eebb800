"""The punctuation network in torch: a sum of embeddings, an LSTM, one linear layer.

After each token it says four things, so that whoever writes may wait for a word or not:
the mark after the token before, the case of the token itself, and both again for the token
before that, now that one more is known.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from streamasr.app.train.punctuation.passages import IGNORED
from streamasr.core.punctuation.scores import CASES, LOOKS, MARKS, SCORES
from streamasr.core.punctuation.tokens import BUCKETS


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the network."""

    embedding: int = 64
    width: int = 256
    dropout: float = 0.3


class PunctuationNetwork(nn.Module):
    """ids [T, B, FEATURES] -> scores [T, B, SCORES] and a state of two [1, B, width]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(BUCKETS, shape.embedding)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.lstm = nn.LSTM(shape.embedding, shape.width)
        self.out = nn.Linear(shape.width, SCORES)

    def forward(
        self, ids: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        x = self.embedding(ids).sum(-2)
        x = functional.dropout(x, self.shape.dropout / 2, self.training)
        x, state = self.lstm(x, state)
        return self.out(functional.dropout(x, self.shape.dropout, self.training)), state


def losses(scores: Tensor, marks: Tensor, cases: Tensor) -> Tensor:
    """The mean loss of all that is said: scores [T, B, SCORES], targets [T, B]."""
    total = scores.new_zeros(())
    for look in LOOKS:
        for part, targets, delay in (
            (look.marks, marks, look.mark_delay),
            (look.cases, cases, look.case_delay),
        ):
            size = CASES if targets is cases else MARKS
            said = scores[delay:, :, part].reshape(-1, size)
            wanted = targets[: len(targets) - delay].reshape(-1)
            total = total + functional.cross_entropy(said.float(), wanted, ignore_index=IGNORED)
    return total / len(LOOKS)
