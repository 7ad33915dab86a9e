"""routes.yaml: what is evidence for the policy at hand, and what is only said."""

from __future__ import annotations

from datetime import date

import pytest

from router.decide.evidence import pick
from router.decide.policy import Rulebook
from router.errors import PolicyError
from router.policyfile import load
from tests.policy.conftest import MODELS, POLICY, Problems, Write

CHAT = POLICY + "tasks: {chat: {description: x, max_tokens: 100}}\n"
ROW = "{model: small, cases: 200, passed: 190, measured: 2026-11-20}"


def loaded(write: Write, routes: str) -> Rulebook:
    path = write(CHAT)
    (path.parent / "routes.yaml").write_text(routes)
    return load(path)


def test_a_measurement_of_a_tiers_model_is_evidence(write: Write) -> None:
    rules = loaded(write, f"routes: {{chat: {{cheap: {ROW}}}}}")
    assert ((), 190) == (rules.warnings, rules.routes["chat"]["cheap"].passed)


def test_without_the_file_nothing_is_measured(write: Write) -> None:
    assert {} == load(write(CHAT)).routes


def test_an_alias_is_the_same_model(write: Write) -> None:
    assert loaded(write, f"routes: {{chat: {{cheap: {ROW.replace('small', 'small-20260101')}}}}}").routes["chat"]


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        (f"{{caht: {{cheap: {ROW}}}}}", "the policy has no task `caht` (did you mean `chat`?): not used"),
        (f"{{chat: {{cheep: {ROW}}}}}", "the policy has no tier `cheep` (did you mean `cheap`?): not used"),
        (f"{{chat: {{dear: {ROW}}}}}", "this was measured on `small`, and `dear` is `large` now: not used"),
    ],
)
def test_what_is_no_evidence_here_is_said_and_left_out(routes: str, told: str, write: Write) -> None:
    rules = loaded(write, f"routes: {routes}")
    (warning,) = rules.warnings
    assert told in warning
    assert not any(rules.routes.values())


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (ROW.replace("passed: 190", "passed: 201"), "201 of 200 cases cannot have passed"),
        (ROW.replace("2026-11-20", "yesterday"), "`measured` takes a day such as 2026-11-20, not `yesterday`"),
        (ROW.replace("}", ", at_least: 0.96}"), "190 of 200 passed: that cannot be at least 96.0%"),
        (ROW.replace("}", ", at_least: 1.2}"), "`at_least` takes a number of at least 0 and at most 1"),
        (ROW.replace("}", ", low: 0.9, high: 0.8}"), "the lower end 0.9 is above the upper end 0.8"),
        (ROW.replace("}", ", sampled_cases: 4, sampled_passed: 5}"), "5 of 4 samples cannot have passed"),
        (ROW.replace("}", ", sampled_day: soon}"), "`sampled_day` takes a day such as 2026-11-20, not `soon`"),
        (ROW.replace("}", ", state: good}"), "`state` takes one of clears, fails, open, undecided, untried"),
        (ROW.replace("cases: 200, ", ""), "needs the key `cases`: How many cases were tried."),
        (ROW.replace("passed", "pased"), "unknown key `pased`"),
    ],
)
def test_what_is_wrong_in_the_file_stops_the_policy(row: str, told: str, write: Write) -> None:
    with pytest.raises(PolicyError) as caught:
        loaded(write, f"routes: {{chat: {{cheap: {row}}}}}")
    assert any(told in problem and "routes.yaml:1:" in problem for problem in caught.value.problems)


def test_other_measurements_are_another_policy(write: Write) -> None:
    one = loaded(write, f"routes: {{chat: {{cheap: {ROW}}}}}").hash
    assert one != loaded(write, f"routes: {{chat: {{cheap: {ROW.replace('190', '191')}}}}}").hash


# ---- what the evals concluded

VERDICT = "verdicts: {chat: {winner: WINNER, claim: x, reason: y, decided: 2026-11-20, run: run_1}}\n"
BY_VERDICT = CHAT + "routes: {by: verdict}\n"


def test_a_verdict_is_taken_while_its_winner_is_what_was_measured(write: Write) -> None:
    path = write(BY_VERDICT)
    rows = f"routes: {{chat: {{cheap: {ROW.replace('190', '120')}, dear: {ROW.replace('small', 'large')}}}}}"
    (path.parent / "routes.yaml").write_text(VERDICT.replace("WINNER", "cheap") + rows)
    rules = load(path)
    found = pick("chat", None, rules)
    assert found is not None
    assert ((), "cheap") == (rules.warnings, found.tier)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (VERDICT.replace("WINNER", "dear"), "no measurement of its winner `dear` counts any more"),
        (VERDICT.replace("chat", "caht").replace("WINNER", "cheap"), "`caht` has no measurement that counts"),
    ],
)
def test_a_verdict_without_its_measurement_is_said_and_left_out(text: str, told: str, write: Write) -> None:
    rules = loaded(write, f"{text}routes: {{chat: {{cheap: {ROW}}}}}")
    (warning,) = rules.warnings
    assert f"{told}: the verdict is not used" in warning


def test_a_verdict_with_a_wrong_day_stops_the_policy(write: Write) -> None:
    with pytest.raises(PolicyError) as caught:
        loaded(write, VERDICT.replace("2026-11-20", "now") + f"routes: {{chat: {{cheap: {ROW}}}}}")
    assert any("`decided` takes a day such as 2026-11-20, not `now`" in problem for problem in caught.value.problems)


# ---- what grew old


def test_a_measurement_that_is_older_than_its_model_is_warned_of_and_counts(write: Write) -> None:
    path = write(CHAT, MODELS.replace("    line: haiku", "    line: haiku\n    released: 2026-11-21"))
    (path.parent / "routes.yaml").write_text(f"routes: {{chat: {{cheap: {ROW}}}}}")
    rules = load(path)
    (warning,) = rules.warnings
    assert "routes.yaml:1:17: measured on 2026-11-20, before `small` came out on 2026-11-21: measure again" in warning
    assert "cheap" in rules.routes["chat"]


@pytest.mark.parametrize(
    ("today", "told"),
    [
        (None, None),
        (date(2026, 11, 20), None),
        (date(2026, 12, 20), None),
        (date(2026, 12, 21), "measured 31 days ago; `routes.max_age_days` is 30: measure again"),
        (date(2026, 11, 19), "measured on 2026-11-20, which is yet to come"),
    ],
)
def test_a_measurement_that_is_older_than_the_policy_likes_is_warned_of(
    today: date | None, told: str | None, write: Write
) -> None:
    path = write(CHAT + "routes: {max_age_days: 30}\n", MODELS.replace("    retires: 2026-12-01\n", ""))
    (path.parent / "routes.yaml").write_text(f"routes: {{chat: {{cheap: {ROW}}}}}")
    rules = load(path, today=today)
    assert "cheap" in rules.routes["chat"]
    assert ([] if told is None else [told]) == [warning.partition(": ")[2] for warning in rules.warnings]


def test_a_day_that_is_none_is_found_in_the_models(problems: Problems) -> None:
    (told,) = problems(models=MODELS.replace("    line: haiku", "    line: haiku\n    released: May"))
    assert "`released` takes a day such as 2026-11-30, not `May`" in told
