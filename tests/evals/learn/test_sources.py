"""Only what was measured, and still stands, is learnt from."""

from __future__ import annotations

import msgspec

from evals.labels import AGREES, CONTRACT
from evals.labels import Label as Graded
from evals.learn.sources import Found, of_agreement, of_runs, of_verdicts
from evals.vocabulary import Finding, Run, State, Suite, TierFinding, Tried
from router.vocabulary import Difficulty, Sampled
from tests.evals.worlds import MODELS, suite_of, tried_of

SUITE = suite_of(cases=20)


def finding_of(suite: Suite, tiers: tuple[str, ...]) -> Finding:
    found = tuple(TierFinding(tier=tier, model=MODELS[tier], state=State.CLEARS) for tier in tiers)
    return Finding(suite=suite.name, suite_hash=suite.hash, task=suite.task, claim=suite.claim, tiers=found)


def run_of(suite: Suite, tiers: tuple[str, ...] = ("haiku", "sonnet", "opus"), at_ms: int = 1) -> Run:
    """Haiku fails on every fifth case, opus on every tenth, and was asked of the first half only."""
    tried: list[Tried] = []
    for number, case in enumerate(suite.cases):
        for tier in tiers:
            if tier != "opus" or number < len(suite.cases) // 2:
                every = 5 if tier == "haiku" else 10
                tried.append(tried_of(tier, case, passed=number % every != 0))
    return Run(
        run_id=f"run_{at_ms}",
        at_ms=at_ms,
        upstream="api",
        policy="policies/default.yaml",
        policy_hash="p",
        findings=(finding_of(suite, tiers),),
        tried={suite.name: tuple(tried)},
    )


def found_of(*runs: Run, suite: Suite | None = SUITE) -> Found:
    return of_runs(runs, lambda _name: suite)


def test_a_case_that_the_cheapest_and_the_top_tier_did_is_a_label() -> None:
    labels = found_of(run_of(SUITE)).labels
    assert 10 == len(labels)
    assert {("reasoning", "haiku", "opus", "claude-haiku-5-5", True)} == {
        (one.task, one.cheap, one.top, one.model, one.graded) for one in labels
    }
    assert {f"What is {number} + 1?" for number in range(10)} == {one.text for one in labels}
    assert {"What is 5 + 1?"} == {one.text for one in labels if one.bad}  # 0: neither tier did it


def test_repeats_are_no_labels_of_their_own() -> None:
    run = run_of(SUITE)
    again = tuple(tried_of(tier, SUITE.cases[3], False, epoch=1) for tier in ("haiku", "opus"))
    more = msgspec.structs.replace(run, tried={SUITE.name: again + run.tried[SUITE.name]})
    assert found_of(run).labels == found_of(more).labels


def test_of_each_suite_the_newest_run_counts() -> None:
    old, new = run_of(SUITE, at_ms=1), run_of(SUITE, ("haiku", "sonnet"), at_ms=2)
    assert {"sonnet"} == {one.top for one in found_of(old, new).labels}
    assert found_of(old, new) == found_of(new, old)


def test_what_teaches_nothing_is_left_out_with_the_reason() -> None:
    run = run_of(SUITE)
    judged = msgspec.structs.replace(run, findings=(msgspec.structs.replace(run.findings[0], judged=True),))
    reasons = {
        "made up": found_of(msgspec.structs.replace(run, rehearsed=True)),
        "a model graded it": found_of(judged),
        "ended before": found_of(msgspec.structs.replace(run, findings=())),
        "not there any more": found_of(run, suite=None),
        "changed since": found_of(run, suite=msgspec.structs.replace(SUITE, hash="1" * 16)),
        "fewer than two tiers": found_of(run_of(SUITE, ("haiku",))),
    }
    assert [] == [why for why, found in reasons.items() if found.labels or why not in found.notes[0]]


def sampled(number: int, text: str = "Where is my parcel?", **changes: object) -> Sampled:
    turns = [{"role": "user", "content": text}]
    kept = Sampled(
        request_id=f"req_{number}",
        at_ms=number,
        task="support",
        verdict_task="support",
        verdict_difficulty="simple",
        body=msgspec.json.encode({"model": "auto", "max_tokens": 9, "messages": turns}),
        answer=b"{}",
    )
    return msgspec.structs.replace(kept, **changes)


def test_a_verdict_is_a_label_and_where_there_is_none_there_is_no_label() -> None:
    kept = [sampled(1), sampled(2, "A lawsuit", verdict_difficulty="edge_case"), sampled(3, verdict_difficulty=None)]
    labels = of_verdicts(kept).labels
    assert [("Where is my parcel?", False), ("A lawsuit", True)] == [(one.text, one.bad) for one in labels]
    assert {(False, None, "support")} == {(one.graded, one.cheap, one.task) for one in labels}


def test_what_the_gate_is_never_asked_about_is_no_label() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    body = msgspec.json.encode({"model": "auto", "max_tokens": 9, "messages": turns})
    found = of_verdicts([sampled(1, body=body), sampled(2, body=b"no body")])
    assert ((), "2 kept requests") == (found.labels, found.notes[0][:15])


def graded(number: int, tier: str, passed: bool, how: str = AGREES) -> Graded:
    return Graded(
        request_id=f"req_{number}", task="support", tier=tier, model=MODELS[tier], passed=passed, how=how, at_ms=1
    )


def test_where_the_cheapest_tier_agrees_with_the_top_one_it_does() -> None:
    kept = [sampled(number, f"Question {number}") for number in range(4)]
    of_requests = [graded(0, "haiku", True), graded(1, "haiku", False), graded(2, "sonnet", False),
                   graded(3, "haiku", False, CONTRACT), graded(9, "haiku", True)]  # fmt: skip
    labels = of_agreement(kept, of_requests, ("haiku", "sonnet", "opus")).labels
    assert [("Question 0", False), ("Question 1", True)] == [(one.text, one.bad) for one in labels]
    assert {(True, "haiku", "opus", "claude-haiku-5-5")} == {(o.graded, o.cheap, o.top, o.model) for o in labels}
    assert () == of_agreement(kept, of_requests, ("haiku",)).labels


def test_every_difficulty_that_is_not_simple_is_hard() -> None:
    kept = [sampled(at, f"{at}", verdict_difficulty=one.value) for at, one in enumerate(Difficulty)]
    assert [one is not Difficulty.SIMPLE for one in Difficulty] == [one.bad for one in of_verdicts(kept).labels]
