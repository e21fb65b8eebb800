"""Where CTC puts the units of a sentence: what a writer is taught to write, and when.

The best path of each sentence through the CTC lattice (Viterbi), a batch at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from streamasr.core.units import BLANK

NEVER = -1e9
"""Log-probability of what cannot be; sums of it stay finite."""


class Lines(NamedTuple):
    """What is to be written, for `core.writer.Writer`."""

    units: Tensor
    """int64 [steps, batch]: a unit at the first step of its run, else BLANK."""
    last: Tensor
    """int64 [steps, batch]: the unit before each step, BLANK for none."""
    known: Tensor
    """bool [steps, batch]: steps of sentences that fit into their steps."""


@torch.no_grad()
def best_paths(log_probs: Tensor, steps: Tensor, targets: Tensor, lengths: Tensor) -> Lines:
    """log_probs [steps, batch, units]; steps and target lengths int64 [batch].

    ``targets`` are all sentences' units one after another.
    """
    total, batch, _ = log_probs.shape
    device = log_probs.device
    states = torch.full((batch, 2 * int(lengths.max()) + 1), BLANK, device=device)
    for row, part in enumerate(torch.split(targets, lengths.tolist())):
        states[row, 1 : 2 * len(part) : 2] = part
    emitted = log_probs.transpose(0, 1).gather(2, states[:, None].expand(-1, total, -1))
    score, moves = _search(emitted, states, steps)
    ends = torch.stack([2 * lengths, (2 * lengths - 1).clamp(min=0)], dim=1)
    final = score.gather(1, ends)
    at = ends.gather(1, final.argmax(dim=1, keepdim=True))[:, 0]
    path = torch.empty(total, batch, dtype=torch.int64, device=device)
    rows = torch.arange(batch, device=device)
    for step in range(total - 1, -1, -1):
        path[step] = at
        at = at - moves[step, rows, at]
    return _lines(path, states, steps, fits=final.amax(dim=1) > NEVER / 2)


def _search(emitted: Tensor, states: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """emitted [batch, steps, states] -> final scores, and how many states each step came on."""
    batch, total, count = emitted.shape
    may_skip = torch.zeros_like(states, dtype=torch.bool)
    may_skip[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    score = torch.full((batch, count), NEVER, device=emitted.device)
    score[:, :2] = emitted[:, 0, :2]
    moves = torch.zeros(total, batch, count, dtype=torch.int64, device=emitted.device)
    for step in range(1, total):
        one, two = (torch.full_like(score, NEVER) for _ in range(2))
        one[:, 1:] = score[:, :-1]
        two[:, 2:] = score[:, :-2]
        two.masked_fill_(~may_skip, NEVER)
        best, move = torch.stack([score, one, two]).max(dim=0)
        alive = (step < steps)[:, None]
        score = torch.where(alive, best + emitted[:, step], score)
        moves[step] = move * alive
    return score, moves


def _lines(path: Tensor, states: Tensor, steps: Tensor, *, fits: Tensor) -> Lines:
    units = states.gather(1, path.T).T
    begins = torch.ones_like(units, dtype=torch.bool)
    begins[1:] = path[1:] != path[:-1]
    units = torch.where(begins, units, BLANK)
    numbers = torch.arange(len(units), device=units.device)[:, None]
    # the latest step before each one at which a unit stands
    latest = torch.where(units != BLANK, numbers, -1).cummax(dim=0).values
    before = torch.cat([torch.full_like(latest[:1], -1), latest[:-1]])
    last = torch.where(before >= 0, units.gather(0, before.clamp(min=0)), BLANK)
    return Lines(units, last, (numbers < steps) & fits)
