"""Budgets, outputs, marks, rollouts, siblings and measurements that cannot be, or are unwise."""

from __future__ import annotations

import pytest

from router.policyfile import load
from tests.policy.conftest import MODELS, POLICY, Problems, Write


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("budgets: {b: {usd: 0}}", "5:20: a budget of nothing lets nothing through"),
        ("budgets: {b: {usd: -1}}", "5:20: `usd` takes an amount of USD such as 0.10, not `-1`"),
        ("budgets: {b: {per: day}}", "5:11: `budgets.b` needs the key `usd`: How much may be spent."),
        (
            "budgets: {b: {usd: 5, save_at: 0.5, save_tier: chep}}",
            "5:48: no tier is called `chep` (did you mean `cheap`?); the tiers are: cheap, dear",
        ),
        ("budgets: {b: {usd: 5, save_tier: cheap}}", "5:23: `save_tier` does nothing without `save_at`"),
        ("budgets: {b: {usd: 5, then: canned}}", "5:29: `then: canned` needs a text: set `fallbacks.canned`"),
        ("tasks: {t: {output: {type: json_schema}}}", "5:28: `json_schema` needs a `schema`"),
        ("tasks: {t: {output: {type: enum, values: [a]}}}", "5:28: `enum` needs `values`: two or more"),
        (
            "tasks: {t: {output: {type: json, schema: {}}}}",
            "5:28: `schema` is for `json_schema`, and this is `json`",
        ),
        (
            "tasks: {t: {output: {type: text, values: [a, b]}}}",
            "5:28: `values` are for `enum`, and this is `text`",
        ),
        ("rollout: {candidate: n.yaml, share: 0}", "5:37: a canary serves a share of the sessions"),
        ("rollout: {candidate: n.yaml, share: 1.5}", "5:37: `share` takes a number of at least 0 and at most 1"),
        ("rollout: {}", "5:1: `rollout` needs the key `candidate`: The candidate's file, beside this one."),
    ],
)
def test_what_cannot_be_is_told(more: str, told: str, problems: Problems) -> None:
    found = problems(f"{POLICY}{more}\n")
    assert any(problem.startswith(f"policy.yaml:{told}") for problem in found), found


@pytest.mark.parametrize(
    ("tiers", "told"),
    [
        ("{model: small, siblings: [smal]}", "models.yaml has no model `smal` (did you mean `small`?)"),
        ("{model: small, siblings: small}", "`small` is the tier's own model; name another"),
        ("{model: small, siblings: [old]}", "the model `old` is retired; use `small`"),
    ],
)
def test_a_sibling_is_another_model(tiers: str, told: str, problems: Problems) -> None:
    found = problems(f"tiers: {{cheap: {tiers}}}\nclassifier: {{model: small}}\n")
    assert any(told in problem for problem in found), found


@pytest.mark.parametrize("place", ["difficulty: {complex: dear}", "default: {tier: dear, task: general}"])
def test_nothing_but_a_caller_or_a_rule_leads_to_a_tier_that_is_by_name_only(place: str, problems: Problems) -> None:
    policy = POLICY.replace("{model: large}", "{model: large, only_by_name: true}")
    (told,) = problems(f"{policy}{place}\n")
    assert "the tier `dear` is `only_by_name`: nothing but a caller or a rule may lead to it" in told


def warnings_of(write: Write, policy: str, models: str = MODELS) -> str:
    return "\n".join(load(write(policy, models)).warnings)


def test_a_tier_that_nothing_leads_to_is_a_warning_until_it_says_so(write: Write) -> None:
    four = POLICY.replace("classifier:", "  more: {model: large}\n  most: {model: large}\nclassifier:")
    capped = four + "fallbacks: {ceiling: dear}\n"
    assert "nothing leads to the tier `most`; say `only_by_name: true`" in warnings_of(write, capped)
    assert "" == warnings_of(write, four)
    said = capped.replace("most: {model: large}", "most: {model: large, only_by_name: true}")
    assert "" == warnings_of(write, said)
    ruled = capped + "rules: [{name: r, tier: most}]\n"
    assert "" == warnings_of(write, ruled)


def test_a_mark_below_what_a_model_caches_is_a_warning(write: Write) -> None:
    told = warnings_of(write, POLICY + "cache: {min_tokens: 5}\n")
    assert "5:21: `min_tokens` 5 is below what `small` of tier `cheap` caches (10)" in told
    assert "" == warnings_of(write, POLICY + "cache: {min_tokens: 10}\n")


@pytest.mark.parametrize(("answers", "longest", "warned"), [(100, 40, True), (99, 40, False), (100, 50, False)])
def test_a_limit_far_above_what_was_used_is_a_warning(answers: int, longest: int, warned: bool, write: Write) -> None:
    path = write(POLICY + "tasks: {chat: {description: x, max_tokens: 400}}\n")
    warnings = load(path, used={"chat": (answers, longest)}).warnings
    assert warned == any("`max_tokens` 400 is far above what `chat` ever used" in warning for warning in warnings)
