"""Maximum mutual information over phone sequences, without lattices.

The phone head learns to make the true phone sequence likely against all sequences that a
phone 3-gram allows: lattice-free MMI (Povey et al. 2016, "Purely sequence-trained neural
networks for ASR based on lattice-free MMI"), with one state a phone and hard transition
probabilities. The numerator may shift every phone by some emissions from its alignment;
the denominator is summed exactly, as batched products of 40 x 40 matrices. It is meant to
be mixed with frame cross-entropy (f-smoothing: Su et al. 2013), which keeps posteriors
posteriors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamasr.core.phones import PHONES, SILENCE

Ints = NDArray[np.int64]
SMOOTHING = 20.0
"""Pseudo-counts that the shorter history gives to a longer one."""
SHIFT = 2
"""Emissions by which a phone may lie off its alignment, either way."""
NEVER = -1e30


class Chains(NamedTuple):
    """Phone sequences of a batch, and where each phone may stand."""

    phones: Tensor  # int64 [batch, longest], 0 past the end
    lengths: Tensor  # int64 [batch], 0 where nothing is known
    first: Tensor  # int64 [batch, longest], first emission allowed
    last: Tensor  # int64 [batch, longest], last emission allowed


class Chain(NamedTuple):
    """One example's phones and the emissions [first, last] that each may take."""

    phones: Ints
    first: Ints
    last: Ints


def runs(frames: NDArray[np.int8]) -> tuple[Ints, Ints]:
    """Runs of equal phones in 10 ms ``frames``: their phones, and their edges (one more)."""
    if not len(frames):
        return np.zeros(0, np.int64), np.zeros(1, np.int64)
    starts = np.flatnonzero(np.diff(frames, prepend=-1))
    return frames[starts].astype(np.int64), np.append(starts, len(frames))


def make_chain(
    frames: NDArray[np.int8], *, emissions: int, frames_per_emission: int, delay: float
) -> Chain:
    """The chain of aligned ``frames``, silence at both ends; ``delay`` as in targets."""
    phones, edges = runs(frames)
    if not len(phones) or phones[-1] != SILENCE:
        phones, edges = np.append(phones, SILENCE), np.append(edges, edges[-1])
    if phones[0] != SILENCE:
        phones, edges = np.insert(phones, 0, SILENCE), np.insert(edges, 0, 0)
    places = (edges + delay) / frames_per_emission
    first = np.floor(places[:-1]).astype(np.int64) - SHIFT
    last = np.ceil(places[1:]).astype(np.int64) + SHIFT
    first[0], last[-1] = 0, emissions
    return Chain(phones, first, last)


def join_chains(chains: Sequence[Chain | None]) -> Chains:
    longest = max([1, *(len(c.phones) for c in chains if c is not None)])
    rows = np.zeros((3, len(chains), longest), np.int64)
    for row, chain in enumerate(chains):
        if chain is not None:
            rows[:, row, : len(chain.phones)] = chain
    lengths = [0 if c is None else len(c.phones) for c in chains]
    phones, first, last = (torch.from_numpy(part) for part in rows)
    return Chains(phones, torch.tensor(lengths), first, last)


@dataclass(frozen=True, slots=True)
class PhoneModel:
    """The denominator: transitions of a phone 3-gram, and how phones last."""

    start: Tensor  # [previous, phone], probabilities of the first phone after silence
    moves: Tensor  # [phone, previous, next], probability of leaving for next
    stay: Tensor  # [phone]

    @classmethod
    def estimate(
        cls, utterances: Iterable[NDArray[np.int8]], frames_per_emission: int
    ) -> PhoneModel:
        """From the aligned 10 ms frames of each utterance."""
        count = len(PHONES)
        triples = np.zeros((count, count, count))
        time, seen = np.zeros(count), np.zeros(count)
        for frames in utterances:
            phones, edges = runs(frames)
            padded = np.concatenate([[0], phones])
            np.add.at(triples, (padded[:-2], padded[1:-1], padded[2:]), 1.0)
            np.add.at(time, phones, np.diff(edges))
            np.add.at(seen, phones, 1.0)
        single = triples.sum(axis=(0, 1)) + 1.0
        pairs = triples.sum(axis=0) + SMOOTHING * (single / single.sum())
        pairs /= pairs.sum(axis=1, keepdims=True)
        triples = triples + SMOOTHING * pairs[None]
        triples /= triples.sum(axis=2, keepdims=True)
        mean = np.maximum(time / np.maximum(seen, 1.0) / frames_per_emission, 1.05)
        stay = 1.0 - 1.0 / mean
        moves = triples.transpose(1, 0, 2) * (1.0 - stay)[:, None, None]
        start = np.zeros((count, count))
        start[0] = single / single.sum()
        return cls(*(torch.from_numpy(x.astype(np.float32)) for x in (start, moves, stay)))

    def to(self, device: torch.device) -> PhoneModel:
        return PhoneModel(self.start.to(device), self.moves.to(device), self.stay.to(device))


def mmi_loss(logs: Tensor, steps: Tensor, chains: Chains, model: PhoneModel) -> Tensor:
    """Nats per emission, over the examples whose chain is known.

    logs [batch, emissions, phones] are log-probabilities (or anything that differs from
    them by a constant an emission), steps [batch] the emissions of each example.
    """
    loss: Tensor = _Mmi.apply(logs, steps, chains, model)  # type: ignore[no-untyped-call]
    return loss


class _Mmi(torch.autograd.Function):
    """Value and gradient are both known in closed form; autograd would keep every step."""

    @staticmethod
    def forward(ctx: Any, logs: Tensor, steps: Tensor, chains: Chains, model: PhoneModel) -> Tensor:
        values = logs.detach().float()
        true, likely = numerator(values, steps, chains, model)
        every, expected = denominator(values, steps, model)
        known = (chains.lengths > 0) & (true > NEVER / 2)
        count = (steps * known).sum().clamp(min=1)
        ctx.save_for_backward((expected - likely) * known[:, None, None] / count)
        return (torch.where(known, every - true, 0.0)).sum() / count

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0], None, None, None


def denominator(logs: Tensor, steps: Tensor, model: PhoneModel) -> tuple[Tensor, Tensor]:
    """Log of the sum over all phone sequences [batch], and phone posteriors.

    The state is (phone before, phone), laid out [phone, batch, before] so that leaving a
    phone is one batched product. Sums are kept near one; their logarithms add up.
    """
    batch, emissions, count = logs.shape
    top = logs.amax(dim=2, keepdim=True)
    likely = (logs - top).exp().permute(1, 2, 0).contiguous()  # [emissions, phone, batch]
    stay = model.stay[:, None, None]
    alphas = torch.empty(emissions, count, batch, count, device=logs.device)
    total = torch.zeros(batch, device=logs.device)
    alpha = model.start.t()[:, None, :] * likely[0][:, :, None]
    for t in range(emissions):
        if t:
            moved = torch.bmm(alpha, model.moves).transpose(0, 2)
            fresh = (moved + stay * alpha) * likely[t][:, :, None]
            alpha = torch.where((t < steps)[None, :, None], fresh, alpha)
        mass = alpha.sum(dim=(0, 2))
        alpha = alpha / mass[None, :, None]
        total = total + mass.log()
        alphas[t] = alpha
    inside = torch.arange(emissions, device=logs.device)[None, :] < steps[:, None]
    total = total + (top[:, :, 0] * inside).sum(dim=1)
    leave = model.moves.transpose(1, 2).contiguous()
    posteriors = torch.zeros_like(likely)
    beta = torch.ones(count, batch, count, device=logs.device)
    for t in reversed(range(emissions)):
        if t + 1 < emissions:
            ahead = beta * likely[t + 1][:, :, None]
            fresh = torch.bmm(ahead.transpose(0, 2), leave) + stay * ahead
            fresh = fresh / fresh.amax(dim=(0, 2), keepdim=True)
            beta = torch.where((t + 1 < steps)[None, :, None], fresh, beta)
        joint = (alphas[t] * beta).sum(dim=2)
        posteriors[t] = joint / joint.sum(dim=0, keepdim=True)
    return total, posteriors.permute(2, 0, 1) * inside[:, :, None]


def numerator(
    logs: Tensor, steps: Tensor, chains: Chains, model: PhoneModel
) -> tuple[Tensor, Tensor]:
    """Log of the sum over all ways to say the chains [batch], and phone posteriors."""
    batch, emissions, _ = logs.shape
    phones, lengths = chains.phones, chains.lengths
    longest = phones.shape[1]
    stay = model.stay.log()[phones]
    before = torch.cat([phones.new_zeros(batch, 1), phones[:, :-1]], dim=1)
    enter = model.moves.log()[phones[:, :-1], before[:, :-1], phones[:, 1:]]
    never = logs.new_full((batch, 1), NEVER)
    enter = torch.cat([never, enter], dim=1)
    place = torch.arange(longest, device=logs.device)[None, :]
    real = place < lengths[:, None]
    index = phones[:, None, :].expand(-1, emissions, -1)
    scores = logs.gather(2, index)
    when = torch.arange(emissions, device=logs.device)[None, :, None]
    allowed = (chains.first[:, None] <= when) & (when <= chains.last[:, None]) & real[:, None]
    scores = torch.where(allowed, scores, NEVER).transpose(0, 1).contiguous()
    alphas = logs.new_empty(emissions, batch, longest)
    alpha = torch.where(place == 0, scores[0] + model.start.log()[0][phones], NEVER)
    for t in range(emissions):
        if t:
            came = torch.cat([never, alpha[:, :-1]], dim=1) + enter
            fresh = torch.logaddexp(alpha + stay, came) + scores[t]
            alpha = torch.where((t < steps)[:, None], fresh.clamp(min=NEVER), alpha)
        alphas[t] = alpha
    end = (lengths - 1).clamp(min=0)[:, None]
    total = alpha.gather(1, end)[:, 0]
    beta = torch.where(place == end, 0.0, NEVER).to(logs.dtype)
    posteriors = torch.zeros_like(logs)
    ahead_enter = torch.cat([enter[:, 1:], never], dim=1)
    for t in reversed(range(emissions)):
        if t + 1 < emissions:
            ahead = beta + scores[t + 1]
            onward = torch.cat([ahead[:, 1:], never], dim=1) + ahead_enter
            fresh = torch.logaddexp(ahead + stay, onward).clamp(min=NEVER)
            beta = torch.where((t + 1 < steps)[:, None], fresh, beta)
        share = (alphas[t] + beta - total[:, None]).clamp(max=0.0).exp()
        share = share * ((t < steps) & (lengths > 0))[:, None] * real
        posteriors[:, t].scatter_add_(1, phones, share)
    return total, posteriors
