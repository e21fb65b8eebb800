import pytest
import torch

from streamasr.app.train.punctuation.network import PunctuationNetwork, Shape, losses
from streamasr.core.punctuation.scores import LOOKS, SCORES
from streamasr.core.punctuation.tokens import Case, Mark

SHAPE = Shape(embedding=8, width=12, dropout=0.5)


def test_scores_of_words_read_one_by_one_are_those_of_the_whole() -> None:
    model = PunctuationNetwork(SHAPE).eval()
    ids = torch.randint(0, 20_000, (7, 2, 4))
    whole, _ = model(ids)
    state, parts = None, []
    for row in ids:
        scores, state = model(row[None], state)
        parts.append(scores)
    assert torch.allclose(torch.cat(parts), whole, atol=1e-6)


def test_the_loss_vanishes_where_all_is_said_in_time_and_right() -> None:
    marks = torch.tensor([[Mark.COMMA], [Mark.NONE], [-1], [Mark.QUESTION], [Mark.STOP], [0]])
    cases = torch.tensor([[-1], [Case.LOWER], [-1], [Case.CAPITAL], [Case.UPPER], [0]])
    scores = torch.zeros(len(marks), 1, SCORES)
    for look in LOOKS:
        for part, targets, delay in (
            (look.marks, marks, look.mark_delay),
            (look.cases, cases, look.case_delay),
        ):
            for at in range(len(marks) - delay):
                if targets[at] >= 0:
                    scores[at + delay, 0, part.start + int(targets[at])] = 50
    assert losses(scores, marks, cases).item() == pytest.approx(0, abs=1e-6)
    assert losses(scores.roll(1, 0), marks, cases).item() > 1
