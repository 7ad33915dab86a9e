"""`${NAME:-default}` in secrets and hosts: filled in where it is used, and nowhere kept."""

from __future__ import annotations

import msgspec
import pytest

from router.errors import PolicyError
from router.policyfile import load
from router.policyfile.environment import Missing, filled_in
from tests.policy.conftest import POLICY, Write

ALERTS = POLICY + "alerts: {webhook: '${HOOK}', secret: '${SECRET:-none}'}\n"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${A}", "1"),
        ("x${A}y${B:-2}z", "x1y2z"),
        ("${EMPTY:-3}", "3"),
        ("${B:-}", ""),
        ("${B:-https://x/y:z}", "https://x/y:z"),
        ("$A ${} $${A}", "$A ${} $1"),
    ],
)
def test_a_variable_is_its_value_or_its_default(text: str, value: str) -> None:
    assert value == filled_in(text, {"A": "1", "EMPTY": ""})


@pytest.mark.parametrize("environment", [{}, {"A": ""}])
def test_a_variable_that_is_unset_and_has_no_default_is_missing(environment: dict[str, str]) -> None:
    with pytest.raises(Missing, match="A"):
        filled_in("${A}", environment)


def test_what_a_secret_stands_for_is_in_the_rulebook_alone(write: Write) -> None:
    path = write(ALERTS)
    rules = load(path, environment={"HOOK": "https://hooks.example/1", "SECRET": "s3cr3t"})
    assert ("https://hooks.example/1", "s3cr3t") == rules.webhook
    assert b"s3cr3t" not in msgspec.json.encode(rules.policy)
    assert rules.hash == load(path, environment={"HOOK": "https://hooks.example/2"}).hash


def test_an_address_that_comes_out_empty_is_none(write: Write) -> None:
    path = write(POLICY + "alerts: {webhook: '${HOOK:-}'}\n")
    assert None is load(path, environment={}).webhook


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "5:19: the environment has no HOOK; set it, or give a default: ${HOOK:-} is none"),
        ({"HOOK": "http://hooks.example"}, "5:19: a webhook is an https address"),
        ({"HOOK": "ftp://x"}, "5:19: a webhook is an https address"),
        ({"HOOK": "https://"}, "5:19: a webhook is an https address"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_without_its_value(
    environment: dict[str, str], told: str, write: Write
) -> None:
    with pytest.raises(PolicyError) as caught:
        load(write(ALERTS), environment=environment)
    (problem,) = caught.value.problems
    assert told in problem
    assert "hooks.example" not in problem


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]:9/"])
def test_plain_http_is_for_this_machine(url: str, write: Write) -> None:
    assert load(write(ALERTS), environment={"HOOK": url}).webhook is not None


def test_elsewhere_a_variable_is_taken_as_it_is_written_with_a_warning(write: Write) -> None:
    rules = load(write(POLICY + "rules: [{name: r, refuse: 'Call ${PHONE}'}]\n"))
    assert "Call ${PHONE}" == rules.policy.rules[0].refuse
    (warning,) = rules.warnings
    assert "5:27: environment variables are for secrets and hosts only" in warning


def test_a_tests_prompt_may_hold_one(write: Write) -> None:
    trial = "tests: [{name: t, given: {prompt: 'echo ${HOME}'}, expect: {}}]\n"
    assert () == load(write(POLICY + trial)).warnings
