"""Which sessions a candidate serves, what is kept of its requests, and what the guardrails say of them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.policy import Guardrails, Rollout
from router.decide.rollout import Finding, Seen, Tally, arm_of, findings, ripe, verdict
from router.decide.sequential import edge_ms, share_is_above_other

USD = 10**12
ROLLOUT = Rollout(candidate="next.yaml")
PRICED = Rollout(candidate="next.yaml", guardrails=Guardrails(cost=1.3))
SHARP = Guardrails(failed=0.0, degraded=0.0, refused=0.0, truncated=0.0, p95_latency=1.0, cost=1.0)

seen_requests = st.builds(
    Seen,
    failed=st.booleans(),
    degraded=st.booleans(),
    refused=st.booleans(),
    truncated=st.booleans(),
    latency_ms=st.integers(min_value=0, max_value=10**8),
    cost_pico=st.integers(min_value=0, max_value=10 * USD),
)


def tally(requests: int, **counts: int) -> Tally:
    return Tally(requests=requests, latency={150: requests}, **counts)


def by_name(found: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.guardrail: finding for finding in found}


# --- which sessions ---------------------------------------------------------------------------------------------------


def test_the_candidate_serves_its_share_of_the_sessions() -> None:
    served_by_it = sum(arm_of("tenant", f"session-{number}", "hash", 0.05) for number in range(20_000))
    assert 900 <= served_by_it <= 1100  # 1000, give or take three standard deviations


@given(st.text(), st.text(), st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_moves_sessions_to_the_candidate(
    tenant: str, session: str, candidate: str, one: float, other: float
) -> None:
    smaller, larger = sorted((one, other))
    assert arm_of(tenant, session, candidate, smaller) <= arm_of(tenant, session, candidate, larger)


@given(st.text(), st.text(), st.text())
def test_no_share_is_nobody_and_the_whole_share_is_everybody(tenant: str, session: str, candidate: str) -> None:
    assert (False, True) == (
        arm_of(tenant, session, candidate, 0.0),
        arm_of(tenant, session, candidate, 1.0),
    )


def test_the_arm_of_a_session_does_not_change_between_versions() -> None:
    """Sessions in flight would switch models, and lose their prompt cache, on an upgrade."""
    assert [True, False, False, False, False, False, True, True] == [
        arm_of("web", f"s{number}", "hash", 0.5) for number in range(8)
    ]


def test_tenant_and_session_do_not_run_into_each_other() -> None:
    one = [arm_of(f"a{number}", "1b", "hash", 0.5) for number in range(64)]
    other = [arm_of(f"a{number}1", "b", "hash", 0.5) for number in range(64)]
    assert one != other


def test_a_session_name_that_is_no_proper_text_has_an_arm_too() -> None:
    assert arm_of("web", "half a pair \ud83d", "hash", 1.0)


def test_another_candidate_is_tried_on_other_sessions() -> None:
    first = {number for number in range(1000) if arm_of("web", str(number), "one", 0.1)}
    second = {number for number in range(1000) if arm_of("web", str(number), "two", 0.1)}
    assert len(first & second) < 30


# --- tallies ----------------------------------------------------------------------------------------------------------


@given(st.lists(seen_requests), st.lists(seen_requests))
def test_merged_tallies_are_one_that_saw_it_all(before: list[Seen], after: list[Seen]) -> None:
    first, second, whole = Tally(), Tally(), Tally()
    for seen in before:
        first.add(seen)
    for seen in after:
        second.add(seen)
    for seen in before + after:
        whole.add(seen)
    merged = first.merged(second)
    assert whole.cost_pico_squared == pytest.approx(merged.cost_pico_squared)
    merged.cost_pico_squared = whole.cost_pico_squared
    assert whole == merged


@given(st.lists(seen_requests))
def test_a_tally_survives_json_and_stays_small(requests: list[Seen]) -> None:
    arm = Tally()
    for seen in requests:
        arm.add(seen)
    text = msgspec.json.encode(arm)
    assert arm == msgspec.json.decode(text, type=Tally)
    assert set(arm.latency) <= set(range(321))


def test_merging_leaves_both_tallies_as_they_were() -> None:
    one, other = tally(3, failed=1), tally(4, failed=2)
    one.merged(other).add(Seen(failed=True, latency_ms=5))
    assert (tally(3, failed=1), tally(4, failed=2)) == (one, other)


@given(st.lists(st.integers(min_value=1, max_value=5_000_000), min_size=1, max_size=200))
def test_the_95th_percentile_is_right_to_within_a_bucket(latencies: list[int]) -> None:
    arm = Tally()
    for latency_ms in latencies:
        arm.add(Seen(latency_ms=latency_ms))
    exact = sorted(latencies)[-(-len(latencies) * 95 // 100) - 1]
    assert exact == pytest.approx(arm.p95_ms(), rel=0.026)


def test_the_mean_cost_is_exact_and_nothing_seen_is_none() -> None:
    arm = Tally()
    for cents in (1, 2, 6):
        arm.add(Seen(cost_pico=cents * USD // 100))
    assert (0.03, None, None) == (arm.mean_usd(), Tally().mean_usd(), Tally().p95_ms())


# --- what is found, in words ------------------------------------------------------------------------------------------


def test_a_proof_says_both_shares_and_the_margin() -> None:
    found = findings(tally(1290, failed=4), tally(68, failed=28), ROLLOUT)[0]
    assert found == Finding(
        guardrail="failed",
        current=4 / 1290,
        candidate=28 / 68,
        allowed=0.01,
        worse=True,
        words="failed: 41.2 % of 68 requests, the current policy 0.31 % of 1,290 requests; 1 % more is allowed:"
        " proven worse",
    )


def test_the_verdict_is_the_words_of_the_first_proof() -> None:
    current, candidate = tally(1000), tally(100, degraded=60, truncated=60)
    words = {finding.guardrail: finding.words for finding in findings(current, candidate, ROLLOUT)}
    assert verdict(current, candidate, ROLLOUT) == words["degraded"]


def test_findings_come_for_the_guardrails_that_are_on() -> None:
    some = Rollout(candidate="next.yaml", guardrails=Guardrails(refused=None, truncated=None, cost=2.0))
    assert ["failed", "degraded", "p95_latency", "cost"] == list(by_name(findings(Tally(), Tally(), some)))


def test_with_every_guardrail_off_nothing_is_ever_worse() -> None:
    off = Guardrails(failed=None, degraded=None, refused=None, truncated=None, p95_latency=None, cost=None)
    blind = Rollout(candidate="next.yaml", guardrails=off)
    assert ((), None) == (
        findings(tally(1000), tally(1000, failed=1000), blind),
        verdict(tally(1000), tally(1000, failed=1000), blind),
    )


def test_latency_and_cost_are_said_in_seconds_and_dollars() -> None:
    usual, slow_and_dear = Tally(), Tally()
    for _ in range(1500):
        usual.add(Seen(latency_ms=2000, cost_pico=USD // 250))
        slow_and_dear.add(Seen(latency_ms=8000, cost_pico=USD // 50))
    found = by_name(findings(usual, slow_and_dear, PRICED))
    latency = "p95_latency: 8.12 s over 1,500 requests, the current policy 1.97 s over 1,500 requests"
    cost = "cost: 0.02 USD a request over 1,500 requests, the current policy 0.004 USD a request over 1,500 requests"
    assert (f"{latency}; 1.5 times is allowed: proven worse", f"{cost}; 1.3 times is allowed: proven worse") == (
        found["p95_latency"].words,
        found["cost"].words,
    )


def test_before_the_first_request_there_is_no_evidence() -> None:
    found = findings(Tally(), Tally(), PRICED)
    assert [(None, None, False)] * 6 == [(one.current, one.candidate, one.worse) for one in found]
    assert (
        "failed: no request yet, the current policy no request yet; 1 % more is allowed: no evidence of more yet"
        == (found[0].words)
    )


@pytest.mark.parametrize(("latency_ms", "cents", "worse"), [(1400, 12, []), (1700, 14, ["p95_latency", "cost"])])
def test_a_factor_is_a_factor_however_sure_the_figures_are(latency_ms: int, cents: int, worse: list[str]) -> None:
    current, candidate = Tally(), Tally()
    for _ in range(2000):
        current.add(Seen(latency_ms=1000, cost_pico=USD // 10))
        candidate.add(Seen(latency_ms=latency_ms, cost_pico=cents * USD // 100))
    assert worse == [finding.guardrail for finding in findings(current, candidate, PRICED) if finding.worse]


@pytest.mark.parametrize(("guardrails", "shared_by"), [(Guardrails(), 10), (Guardrails(cost=2.0), 12)])
def test_false_alarms_are_shared_out_over_guardrails_and_arms(guardrails: Guardrails, shared_by: int) -> None:
    """The bar is exactly where the bounds with that chance meet."""
    rollout = Rollout(candidate="next.yaml", guardrails=guardrails, false_alarm=0.01)
    found = [findings(tally(500), tally(100, failed=bad), rollout)[0].worse for bad in range(101)]
    chance = 0.01 / shared_by
    assert [bad >= 5 and share_is_above_other((bad, 100), (0, 500), 0.01, chance) for bad in range(101)] == found


# --- without a current arm --------------------------------------------------------------------------------------------


def test_without_a_current_arm_nothing_is_compared() -> None:
    broken = tally(500, failed=500, degraded=500, refused=500, truncated=500)
    assert verdict(Tally(), broken, PRICED) is None
    words = "failed: 100 % of 500 requests, the current policy no request yet; 1 % more is allowed: "
    assert words + "nothing to compare with" == findings(Tally(), broken, PRICED)[0].words


@pytest.mark.parametrize("stragglers", [0, 3, 19])
def test_a_candidate_that_serves_everybody_is_held_against_failing_at_all(stragglers: int) -> None:
    alone = Rollout(candidate="next.yaml", share=1.0)
    words = (
        "failed: 100 % of 5 requests, and no session is left on the current policy, so 1 % in all is allowed:"
        " proven worse than that"
    )
    assert words == verdict(tally(stragglers), tally(5, failed=5), alone)


def test_serving_everybody_is_no_reason_to_look_away_from_a_current_arm_that_fails_as_much() -> None:
    alone = Rollout(candidate="next.yaml", share=1.0)
    assert verdict(tally(400, failed=80), tally(100, failed=20), alone) is None


def test_serving_everybody_nothing_but_failing_can_be_held_against_the_candidate() -> None:
    alone = Rollout(candidate="next.yaml", share=1.0)
    assert verdict(Tally(), tally(500, degraded=500, refused=500, truncated=500), alone) is None


# --- not a twitch -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([0.05, 1.0]))
def test_a_few_unlucky_requests_never_roll_back(usual: int, unlucky: int, share: float) -> None:
    """Not even with no margin at all, against a million requests without a fault."""
    sharp = Rollout(candidate="next.yaml", share=share, guardrails=SHARP)
    candidate = tally(unlucky, failed=unlucky, degraded=unlucky, refused=unlucky, truncated=unlucky)
    assert verdict(tally(usual), candidate, sharp) is None


def test_a_slow_start_is_not_a_95th_percentile() -> None:
    slow = Tally(requests=19, latency={250: 19})
    assert verdict(tally(100_000), slow, ROLLOUT) is None
    slow.add(Seen(latency_ms=int(edge_ms(250.5))))
    assert "p95_latency" in (verdict(tally(100_000), slow, ROLLOUT) or "")


def test_cost_waits_for_a_hundred_requests_an_arm() -> None:
    cheap, dear = Tally(), Tally()
    for _ in range(99):
        cheap.add(Seen(cost_pico=USD))
        dear.add(Seen(cost_pico=9 * USD))
    assert verdict(cheap, dear, PRICED) is None
    cheap.add(Seen(cost_pico=USD))
    dear.add(Seen(cost_pico=9 * USD))
    assert "cost" in (verdict(cheap, dear, PRICED) or "")


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_who_is_no_worse_than_the_margin_in_what_was_seen_is_never_worse(
    requests: int, usual: float, part: float
) -> None:
    current = tally(requests, failed=int(usual * requests))
    allowed = int((current.failed / requests + 0.01) * requests * part)
    assert verdict(current, tally(requests, failed=min(requests, allowed)), ROLLOUT) is None


# --- taking over ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("promote", "requests", "running_s", "expected"),
    [
        ("auto", 1000, 86_400.0, True),
        ("auto", 999, 86_400.0, False),
        ("auto", 1000, 86_399.9, False),
        ("by_hand", 10_000, 864_000.0, False),
    ],
)
def test_a_candidate_takes_over_by_itself_after_both_minimums(
    promote: str, requests: int, running_s: float, expected: bool
) -> None:
    rollout = msgspec.convert({"candidate": "next.yaml", "promote": promote}, Rollout)
    assert expected == ripe(requests, running_s, rollout)
