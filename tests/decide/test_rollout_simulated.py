"""A candidate is rolled back when it is worse, soon, and hardly ever because somebody looked often."""

from __future__ import annotations

from math import exp, log
from random import Random

import msgspec
import pytest

from router.decide.policy import Guardrails, Rollout
from router.decide.rollout import Seen, Tally, findings, verdict

USD = 10**12
ROLLOUT = Rollout(candidate="next.yaml")
PRICED = Rollout(candidate="next.yaml", guardrails=Guardrails(cost=1.3))
SHARP = Guardrails(failed=0.0, degraded=0.0, refused=0.0, truncated=0.0, p95_latency=1.0, cost=1.0)


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What the requests of one arm are like."""

    failed: float = 0.003
    degraded: float = 0.02
    refused: float = 0.01
    truncated: float = 0.02
    median_ms: float = 1500.0
    usd: float = 0.004

    def request(self, dice: Random) -> Seen:
        return Seen(
            failed=dice.random() < self.failed,
            degraded=dice.random() < self.degraded,
            refused=dice.random() < self.refused,
            truncated=dice.random() < self.truncated,
            latency_ms=int(dice.lognormvariate(log(self.median_ms), 0.6)),
            cost_pico=int(USD * self.usd * exp(dice.gauss(-0.5, 1.0))),
        )


USUAL = World()
AT_THE_MARGIN = World(failed=0.013, degraded=0.07, refused=0.03, truncated=0.07, median_ms=2250, usd=0.0052)


def served(requests: int, world: World, seed: int) -> Tally:
    dice, arm = Random(seed), Tally()
    for _ in range(requests):
        arm.add(world.request(dice))
    return arm


def requests_until_caught(world: World, rollout: Rollout, seed: int, limit: int, *, usual: World = USUAL) -> int | None:
    """How many requests the candidate served before it was rolled back; looked at after each of them."""
    dice, current, candidate = Random(seed), Tally(), Tally()
    while candidate.requests < limit:
        if dice.random() >= rollout.share:
            current.add(usual.request(dice))
            continue
        candidate.add(world.request(dice))
        if verdict(current, candidate, rollout) is not None:
            return candidate.requests
    return None


# --- false alarms -----------------------------------------------------------------------------------------------------


def alarms(runs: int, limit: int, rollout: Rollout, world: World) -> int:
    return sum(requests_until_caught(world, rollout, seed, limit) is not None for seed in range(runs))


def test_twins_looked_at_after_every_request_hardly_ever_alarm() -> None:
    """With no margin at all, so that nothing but the statistics keeps quiet."""
    twins = Rollout(candidate="next.yaml", share=0.5, false_alarm=0.1, guardrails=SHARP)
    assert alarms(20, 400, twins, USUAL) <= 2


@pytest.mark.soak
def test_twins_alarm_no_more_often_than_the_policy_says() -> None:
    twins = Rollout(candidate="next.yaml", share=0.5, false_alarm=0.1, guardrails=SHARP)
    assert alarms(200, 1000, twins, USUAL) <= 20


@pytest.mark.soak
def test_a_candidate_at_the_margin_of_everything_alarms_no_more_often_than_the_policy_says() -> None:
    rollout = Rollout(candidate="next.yaml", share=0.5, false_alarm=0.1, guardrails=Guardrails(cost=1.3))
    assert alarms(200, 1000, rollout, AT_THE_MARGIN) <= 20


# --- power ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "usual", "rollout", "within"),
    [
        pytest.param(World(failed=1.0), World(failed=0.0), ROLLOUT, 10, id="everything fails"),
        pytest.param(World(failed=0.2), World(failed=0.01), ROLLOUT, 200, id="a fifth fails"),
        pytest.param(World(median_ms=4500), USUAL, ROLLOUT, 200, id="three times as slow"),
    ],
)
def test_a_worse_candidate_is_caught_within(world: World, usual: World, rollout: Rollout, within: int) -> None:
    assert requests_until_caught(world, rollout, 1, within, usual=usual) is not None


def test_a_candidate_twice_as_slow_is_proven_so() -> None:
    found = findings(served(6000, USUAL, 1), served(3000, World(median_ms=3000), 2), ROLLOUT)
    assert ["p95_latency"] == [finding.guardrail for finding in found if finding.worse]


def test_a_candidate_twice_as_dear_is_proven_so() -> None:
    found = findings(served(4000, USUAL, 1), served(800, World(usd=0.008), 2), PRICED)
    assert ["cost"] == [finding.guardrail for finding in found if finding.worse]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("world", "usual", "rollout", "within"),
    [
        pytest.param(World(failed=1.0), World(failed=0.0), ROLLOUT, 10, id="everything fails"),
        pytest.param(World(failed=0.2), World(failed=0.01), ROLLOUT, 200, id="a fifth fails"),
        pytest.param(World(median_ms=3000), USUAL, ROLLOUT, 2500, id="twice as slow"),
        pytest.param(World(usd=0.008), USUAL, PRICED, 800, id="twice as dear"),
    ],
)
def test_worse_candidates_are_always_caught_in_time(world: World, usual: World, rollout: Rollout, within: int) -> None:
    caught = [requests_until_caught(world, rollout, seed, within, usual=usual) for seed in range(20)]
    assert None not in caught
