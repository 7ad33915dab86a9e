"""Cases that hang together count for less, and then a false accept is as rare as without clusters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.stats.clusters import clustered, effect_of, effective
from evals.stats.looks import Pairs, design, look_at_pairs, look_at_rate
from evals.stats.paired import score
from evals.stats.quantiles import Array, normal_above

from . import worlds

RUNS = 1_500
NOISE = 0.008  # of a share of one in twenty over so many runs, one time in a dozen


class Clusters(NamedTuple):
    """How many, how large, and how alike their cases are: 0 not at all, 1 the same."""

    many: int
    size: int
    alike: float

    @property
    def cases(self) -> int:
        return self.many * self.size

    def drawn(self, shares: tuple[float, ...], dice: np.random.Generator) -> tuple[list[str], Array]:
        """The names of the clusters, and of which kind each case is; shuffled as a suite is."""
        kinds = self._shares(np.array(shares), dice)
        names = np.repeat(np.arange(self.many), self.size)
        dice.shuffle(names)
        drawn = (dice.random(self.cases)[:, None] > np.cumsum(kinds, axis=1)[names]).sum(axis=1)
        return [f"document {name}" for name in names], np.minimum(drawn, len(shares) - 1).astype(float)

    def _shares(self, mean: Array, dice: np.random.Generator) -> Array:
        if self.alike == 0:
            return np.tile(mean, (self.many, 1))
        if self.alike == 1:
            return dice.multinomial(1, mean, size=self.many).astype(float)
        return dice.dirichlet(mean * (1 - self.alike) / self.alike, size=self.many)


def accepts_a_rate(line: float, clusters: Clusters, *, shrinking: bool = True) -> float:
    """How often a tier right on the bar is accepted."""
    made, dice, accepted = design(worlds.bar(line), clusters.cases), np.random.default_rng(7), 0
    for _ in range(RUNS):
        names, kinds = clusters.drawn((line, 1 - line), dice)
        for at, cases in enumerate(made.looks):
            passed = kinds[:cases] == 0
            if passed.sum() < made.accept_at[at]:  # clusters never make a result surer
                continue
            effect = effect_of(passed.tolist(), names[:cases]) if shrinking else 1.0
            if look_at_rate(made, at, int(passed.sum()), cases, effect).state == "accept":
                accepted += 1
                break
    return accepted / RUNS


def accepts_a_pair(line: float, discordance: float, clusters: Clusters) -> float:
    """How often a tier that is exactly the margin below is accepted."""
    made, dice, accepted = design(worlds.margin(line), clusters.cases), np.random.default_rng(8), 0
    shares = (discordance + line) / 2, (discordance - line) / 2, 1 - discordance
    for _ in range(RUNS):
        names, kinds = clusters.drawn(shares, dice)
        differences = np.array([-1, 1, 0])[kinds.astype(int)]
        for at, cases in enumerate(made.looks):
            losses, wins = int((differences[:cases] < 0).sum()), int((differences[:cases] > 0).sum())
            if score(float(losses), float(wins), cases, line) < normal_above(made.levels[at]):
                continue
            effect = effect_of(differences[:cases].tolist(), names[:cases])
            pairs = Pairs(both=cases - losses - wins, only_top=losses, only_cheap=wins, neither=0)
            if look_at_pairs(made, at, pairs, effect).state == "accept":
                accepted += 1
                break
    return accepted / RUNS


WORLDS = [Clusters(20, 6, 0.4), Clusters(40, 3, 0.4), Clusters(40, 6, 1.0), Clusters(80, 3, 0.1), Clusters(10, 20, 0.3)]


@pytest.mark.parametrize("clusters", WORLDS)
@pytest.mark.parametrize("line", [0.8, 0.9])
def test_a_tier_on_the_bar_is_hardly_ever_accepted_though_cases_hang_together(line: float, clusters: Clusters) -> None:
    assert accepts_a_rate(line, clusters) <= 0.05 + NOISE


@pytest.mark.parametrize("clusters", WORLDS[:4])
@pytest.mark.parametrize("discordance", [0.1, 0.2])
def test_a_tier_on_the_margin_is_hardly_ever_accepted_either(discordance: float, clusters: Clusters) -> None:
    assert accepts_a_pair(0.1, discordance + 0.01, clusters) <= 0.05 + NOISE


def test_without_the_effect_it_would_be_accepted_far_too_often() -> None:
    """So the worlds above are hard enough to tell."""
    assert accepts_a_rate(0.9, Clusters(40, 6, 0.4), shrinking=False) > 0.12


def test_cases_that_only_share_a_name_lose_little() -> None:
    dice = np.random.default_rng(2)
    effects = []
    for _ in range(200):
        names, kinds = Clusters(50, 4, 0.0).drawn((0.85, 0.15), dice)
        effects.append(effect_of((kinds == 0).tolist(), names))
    assert 1 <= np.mean(effects) < 1.2


def test_cases_that_are_one_and_the_same_count_as_one() -> None:
    passed = [True] * 80 + [False] * 20
    names = [f"c{at // 4}" for at in range(100)]
    assert 4 == pytest.approx(effect_of(passed, names))
    assert (20, 25) == pytest.approx(effective(80, 100, 4.0))


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_a_case_without_a_cluster_is_one_of_its_own(passed: list[bool]) -> None:
    assert 1 == effect_of(passed, [""] * len(passed)) == effect_of(passed, [str(at) for at in range(len(passed))])


@given(st.lists(st.tuples(st.integers(-1, 1), st.sampled_from("abcdefgh")), min_size=1, max_size=60))
def test_an_effect_is_at_least_one_and_at_most_the_cluster_of_a_typical_case(cases: list[tuple[int, str]]) -> None:
    names = [name for _, name in cases]
    typical = sum(names.count(name) for name in names) / len(names)
    assert 1 <= effect_of([value for value, _ in cases], names) <= typical + 1e-9


def test_a_run_without_failures_does_not_show_that_failures_would_come_alone() -> None:
    names = [f"c{at // 5}" for at in range(100)]
    assert 5 == pytest.approx(effect_of([True] * 100, names))
    assert 1 < effect_of([True] * 99 + [False], names) < 5


def test_few_clusters_or_a_giant_one_are_said() -> None:
    few = clustered([True, False] * 30, [f"c{at % 6}" for at in range(60)])
    assert (6, 60) == (few.clusters, few.cases)
    assert few.warning.startswith("only 6 clusters: read the result of each")
    giant = clustered([True, False] * 50, ["all"] * 60 + [f"c{at}" for at in range(40)])
    assert giant.warning.startswith("one cluster holds 60% of the cases")
    assert 0.6 == giant.largest
    assert not clustered([True, False] * 50, [f"c{at // 3}" for at in range(100)]).warning
    assert not clustered([True, False], ["", ""]).warning


def test_every_case_needs_its_cluster() -> None:
    with pytest.raises(ValueError, match="got 2 and 1"):
        effect_of([True, False], ["a"])
