"""What a design does in a world that is known: how often it accepts, how often it gives up, how many cases it takes.

Rule: exact, by walking every count from look to look; nothing is drawn by chance. Tables are cut where what is left
out is less likely than one in a thousand million.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from router.vocabulary.noun import Noun

from .paired import score
from .quantiles import Array, binomial, nearly_all, trinomial

BEYOND = 1e-9
NEVER = -1e9  # a stop that nothing reaches


class Prospect(Noun, frozen=True, kw_only=True):
    """What becomes of a test, by look."""

    accepted: tuple[float, ...]
    stopped: tuple[float, ...]
    mean_cases: float

    @property
    def power(self) -> float:
        return sum(self.accepted)


def of_rate(looks: Sequence[int], rate: float, accept_at: Sequence[int], stop_at: Sequence[int]) -> Prospect:
    """Accept from `accept_at` passes on, give up with `stop_at` or fewer; each by look."""
    state, last, accepted, stopped = np.ones(1), 0, [], []
    for cases, enough, few in zip(looks, accept_at, stop_at, strict=True):
        state = np.convolve(state, binomial(cases - last, rate))
        accepted.append(float(state[enough:].sum()))
        stopped.append(float(state[: few + 1].sum()))
        state[enough:] = 0.0
        state[: few + 1] = 0.0
        last = cases
    return _prospect(looks, accepted, stopped)


def of_pairs(
    looks: Sequence[int], shares: tuple[float, float], margin: float, heights: Sequence[float], stops: Sequence[float]
) -> Prospect:
    """Accept from these heights of the score on, give up below `stops`. `shares`: of losses, of wins."""
    accepted, stopped = [], []
    state = np.ones((1, 1))
    for at, cases in enumerate(looks):
        state = _grown(state, looks[at - 1] if at else 0, cases, shares)
        losses, wins = (axis.astype(float) for axis in np.indices(state.shape))
        reached = score(losses, wins, cases, margin)
        accept = reached >= heights[at]
        stop = (reached <= stops[at]) & ~accept
        accepted.append(float(state[accept].sum()))
        stopped.append(float(state[stop].sum()))
        state = np.where(accept | stop, 0.0, state)
    return _prospect(looks, accepted, stopped)


def never(looks: Sequence[int]) -> tuple[int, ...]:
    """The stops of a rate that nothing reaches."""
    return (-1,) * len(looks)


def _grown(state: Array, last: int, cases: int, shares: tuple[float, float]) -> Array:
    """The table after the cases of one more look."""
    more = cases - last
    added = trinomial(more, shares, (nearly_all(more, shares[0], BEYOND), nearly_all(more, shares[1], BEYOND)))
    size = (state.shape[0] + added.shape[0] - 1, state.shape[1] + added.shape[1] - 1)
    both = np.fft.rfft2(state, size) * np.fft.rfft2(added, size)
    grown = np.maximum(np.fft.irfft2(both, size), 0.0)
    return grown[: nearly_all(cases, shares[0], BEYOND) + 1, : nearly_all(cases, shares[1], BEYOND) + 1]


def _prospect(looks: Sequence[int], accepted: list[float], stopped: list[float]) -> Prospect:
    ended = list(_ended(accepted, stopped))
    mean = sum(share * cases for share, cases in zip(ended, looks, strict=True)) + (1 - sum(ended)) * looks[-1]
    return Prospect(accepted=tuple(accepted), stopped=tuple(stopped), mean_cases=mean)


def _ended(accepted: list[float], stopped: list[float]) -> Iterator[float]:
    for one, other in zip(accepted, stopped, strict=True):
        yield one + other
