"""routes.yaml: what is evidence for the policy at hand, and what is only said."""

from __future__ import annotations

import pytest

from router.decide.policy import Rulebook
from router.errors import PolicyError
from router.policyfile import load
from tests.policy.conftest import POLICY, Write

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
