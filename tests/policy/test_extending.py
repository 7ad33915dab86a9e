"""`extends`: a preset, or a policy beside this one, with this file laid over it; an error points where it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from router.decide.policy import Rulebook
from router.errors import PolicyError
from router.policyfile import load
from tests.policy.conftest import POLICY, Problems, Write

BASE = """\
tiers:
  cheap: {model: small, effort: low}
  dear: {model: large}
classifier: {model: small, deadline_ms: 500}
tasks:
  chat: {description: Chat., examples: [a, b]}
  code: {description: Code.}
rules:
  - {name: first, tier: dear, when: {feature: x}}
tests:
  - {name: t, given: {prompt: x}, expect: {tier: cheap}}
rollout: {candidate: next.yaml}
"""
Extend = Callable[..., Rulebook]


@pytest.fixture
def extend(write: Write) -> Extend:
    def loader(own: str, base: str = BASE) -> Rulebook:
        path = write(own)
        (path.parent / "base.yaml").write_text(base)
        return load(path)

    return loader


def test_what_is_left_out_comes_from_below(extend: Extend) -> None:
    policy = extend("extends: base.yaml\n").policy
    assert (["cheap", "dear"], ["chat", "code"], 500) == (
        list(policy.tiers),
        list(policy.tasks),
        policy.classifier.deadline_ms,
    )


def test_a_key_is_laid_over_and_what_stands_beside_it_stays(extend: Extend) -> None:
    policy = extend("extends: base\ntiers: {cheap: {effort: high}}\nclassifier: {max_chars: 300}\n").policy
    assert ("small", "high") == (policy.tiers["cheap"].model, policy.tiers["cheap"].effort)
    assert (500, 300) == (policy.classifier.deadline_ms, policy.classifier.max_chars)


def test_a_list_is_replaced_as_a_whole(extend: Extend) -> None:
    policy = extend("extends: base\ntasks: {chat: {examples: [c]}}\nrules: []\n").policy
    assert (("c",), ()) == (policy.tasks["chat"].examples, policy.rules)


def test_null_takes_a_name_away(extend: Extend) -> None:
    policy = extend("extends: base\ntasks: {code: null}\n").policy
    assert ["chat"] == list(policy.tasks)


def test_a_tier_that_is_new_stands_above_those_that_were_there(extend: Extend) -> None:
    assert ("cheap", "dear", "more") == extend("extends: base\ntiers: {more: {model: large}}\n").tier_order


def test_tests_and_rollout_belong_to_the_policy_that_they_stand_in(extend: Extend) -> None:
    policy = extend("extends: base\n").policy
    assert ((), None) == (policy.tests, policy.rollout)


def test_the_same_said_at_once_is_the_same_policy(extend: Extend, write: Write) -> None:
    apart = extend("extends: base\nclassifier: {max_chars: 300}\n").hash
    whole = BASE.replace("deadline_ms: 500", "deadline_ms: 500, max_chars: 300")
    assert load(write(whole)).hash == apart


def test_an_error_in_what_is_extended_points_into_that_file_and_all_are_told_at_once(
    extend: Extend, tmp_path: Path
) -> None:
    with pytest.raises(PolicyError) as caught:
        extend("extends: base\nsticky: {idle: 5}\n", BASE.replace("effort: low", "effort: lowest"))
    told = [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]
    assert any(problem.startswith("base.yaml:2:33: `effort` takes one of") for problem in told)
    assert any(problem.startswith("policy.yaml:2:10: unknown key `idle` in `sticky`") for problem in told)
    assert any(
        "  cheap: {model: small, effort: lowest}\n      |                                 ^^^^^^" in one for one in told
    )


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ("extends: bsae\n", "policy.yaml:1:10: no preset is called `bsae`"),
        ("extends: gone.yaml\n", "gone.yaml: cannot be read: No such file or directory"),
        ("extends: ../etc/passwd\n", "policy.yaml:1:10: no preset is called `../etc/passwd`"),
        ("extends: [a]\n", "policy.yaml:1:10: `extends` takes text, not a list"),
    ],
)
def test_what_cannot_be_extended_is_told(own: str, told: str, problems: Problems) -> None:
    assert any(problem.startswith(told) for problem in problems(own))


def test_a_preset_that_is_misspelt_is_answered_with_the_nearest(problems: Problems) -> None:
    assert "no preset is called `suport-chat` (did you mean `support-chat`?)" in problems("extends: suport-chat\n")[0]


def test_a_chain_is_refused(extend: Extend) -> None:
    with pytest.raises(PolicyError, match=r"base\.yaml:1:1: what is extended must stand by itself"):
        extend("extends: base\n", "extends: rag\n" + BASE)


def test_a_policy_cannot_extend_itself(write: Write) -> None:
    path = write("extends: policy.yaml\n" + POLICY)
    with pytest.raises(PolicyError, match="what is extended must stand by itself"):
        load(path)


def test_the_file_that_is_extended_is_one_of_the_policys_files(extend: Extend, tmp_path: Path) -> None:
    assert str(tmp_path / "base.yaml") in extend("extends: base\n").files
