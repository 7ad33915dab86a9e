"""The exact walks come to what a great many drawn tests come to."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from evals.stats import walks
from evals.stats.paired import score
from evals.stats.quantiles import binomial, nearly_all, trinomial

LOOKS = (20, 40, 60)
RUNS = 40_000


def test_a_rate_walks_as_drawn_ones_do() -> None:
    accept_at, stop_at = (19, 37, 54), (13, 31, -1)
    exact = walks.of_rate(LOOKS, 0.88, accept_at, stop_at)
    passed = np.random.default_rng(3).binomial(20, 0.88, size=(RUNS, 3)).cumsum(axis=1)
    accepted, stopped, cases = drawn(passed >= np.array(accept_at), passed <= np.array(stop_at))
    assert exact.accepted == pytest.approx(accepted, abs=0.01)
    assert exact.stopped == pytest.approx(stopped, abs=0.01)
    assert exact.mean_cases == pytest.approx(cases, abs=0.3)
    assert exact.power == sum(exact.accepted)


def test_pairs_walk_as_drawn_ones_do() -> None:
    heights, stops = (2.2, 1.9, 1.5), (-0.3, 0.4, walks.NEVER)
    exact = walks.of_pairs(LOOKS, (0.05, 0.08), 0.1, heights, stops)
    kinds = np.random.default_rng(4).multinomial(20, [0.05, 0.08, 0.87], size=(RUNS, 3)).cumsum(axis=1).astype(float)
    reached = np.stack([score(kinds[:, at, 0], kinds[:, at, 1], cases, 0.1) for at, cases in enumerate(LOOKS)], axis=1)
    accepted, stopped, cases = drawn(reached >= np.array(heights), reached <= np.array(stops))
    assert exact.accepted == pytest.approx(accepted, abs=0.01)
    assert exact.stopped == pytest.approx(stopped, abs=0.01)
    assert exact.mean_cases == pytest.approx(cases, abs=0.3)


def drawn(accept: NDArray[np.bool_], stop: NDArray[np.bool_]) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """What becomes of drawn tests, one a row."""
    ended = accept | stop
    first = np.where(ended.any(axis=1), ended.argmax(axis=1), len(LOOKS) - 1)
    at_end = np.take_along_axis(accept, first[:, None], axis=1)[:, 0]
    given_up = np.take_along_axis(stop, first[:, None], axis=1)[:, 0]
    accepted = tuple(float(((first == at) & at_end).mean()) for at in range(len(LOOKS)))
    stopped = tuple(float(((first == at) & given_up).mean()) for at in range(len(LOOKS)))
    return accepted, stopped, float(np.array(LOOKS)[first].mean())


def test_every_chance_is_somewhere() -> None:
    assert 1 == pytest.approx(binomial(50, 0.3).sum())
    assert 1 == pytest.approx(trinomial(50, (0.1, 0.2), (50, 50)).sum())
    assert 1 == pytest.approx(trinomial(50, (0.4, 0.6), (50, 50)).sum())
    assert [1.0, 0.0] == binomial(1, 0.0).tolist()


@pytest.mark.parametrize(("cases", "share"), [(10, 0.5), (200, 0.05), (60, 0.0), (60, 1.0)])
def test_a_table_is_cut_where_hardly_anything_is_left_out(cases: int, share: float) -> None:
    upto = nearly_all(cases, share, 1e-9)
    assert binomial(cases, share)[upto + 1 :].sum() < 1e-9
    assert upto <= cases
