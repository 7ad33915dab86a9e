"""What no single key shows: names that must exist, models that cannot do what is asked, prices, dates."""

from __future__ import annotations

from datetime import date

import pytest

from router.errors import PolicyError
from router.policyfile import load
from tests.policy.conftest import MODELS, POLICY, PRICES, Problems, Write


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("tiers: {a: {model: smal}}", "1:20: models.yaml has no model `smal` (did you mean `small`?)"),
        ("tiers: {a: {model: gpt}}", "1:20: models.yaml has no model `gpt`; it has: small, large"),
        ("tiers: {a: {model: old}}", "1:20: the model `old` is retired; use `small`"),
        (
            "tiers: {a: {model: large, effort: low}}",
            "1:35: `large` does not take effort `low`: it has no effort levels; remove the key",
        ),
        (
            "tiers: {a: {model: small, effort: xhigh}}",
            "1:35: `small` does not take effort `xhigh`: it takes low, high, max",
        ),
        (
            "tiers: {a: {model: large, thinking: off}}",
            "1:37: `large` always thinks; use `auto`, or a model that can stop: small",
        ),
        (
            "tiers: {a: {model: small, thinking: off, effort: max}}",
            "1:37: `small` cannot stop thinking at effort `max`: `high` at most",
        ),
        (
            "tiers: {auto: {model: small}}",
            "1:9: a tier cannot be called `auto`: that already names a request that the router places",
        ),
        (
            "tiers: {large: {model: small}}",
            "1:9: a tier cannot be called `large`: that already names the model `large`",
        ),
        (
            "tiers: {a: {model: small}}\ndefault: {tier: b, task: general}",
            "2:17: no tier is called `b`; the tiers are: a",
        ),
        (
            "tiers: {a: {model: small}}\ndefault: {tier: a, task: chat}",
            "2:26: no task is called `chat`; the tasks are: general",
        ),
        (
            "tiers: {a: {model: small}}\ntasks: {chat: {description: x}}\ndefault: {tier: a, task: chta}",
            "3:26: no task is called `chta` (did you mean `chat`?); the tasks are: chat",
        ),
        ("tiers: {a: {model: small}}\ndifficulty: {edge_case: b}", "2:25: no tier is called `b`; the tiers are: a"),
        (
            "tiers: {a: {model: small}}\ntasks: {t: {description: x, difficulty: {simple: b}}}",
            "2:50: no tier is called `b`; the tiers are: a",
        ),
        ("tiers: {a: {model: small}}\nfallbacks: {ceiling: b}", "2:22: no tier is called `b`; the tiers are: a"),
        (
            "tiers: {a: {model: small}}\nfallbacks: {canned: 'Sorry {name}'}",
            "2:21: nothing fills in `{name}`; a canned reply knows only {request_id}",
        ),
        (
            "tiers: {a: {model: small}}\ntasks: {t: {description: x, canned: 'a {request_id} {x}'}}",
            "2:37: nothing fills in `{x}`; a canned reply knows only {request_id}",
        ),
    ],
)
def test_what_does_not_fit_together_is_one_problem_at_its_place(problems: Problems, policy: str, expected: str) -> None:
    (problem,) = problems(f"{policy}\nclassifier: {{model: small}}\n")
    assert f"policy.yaml:{expected}" == problem


def test_the_classifier_must_exist_answer_without_thinking_and_keep_to_a_schema(problems: Problems) -> None:
    tiers = "tiers: {a: {model: small}}\n"
    assert ["policy.yaml:1:1: models.yaml has no model `claude-haiku-5-5`; it has: small, large"] == problems(tiers)
    assert [
        "policy.yaml:2:21: the classifier must be able to answer without thinking; `large` always thinks",
        "policy.yaml:2:21: the classifier needs structured outputs; `large` has none",
    ] == problems(tiers + "classifier: {model: large}")
    assert ["policy.yaml:2:38: no tier is called `b`; the tiers are: a"] == problems(
        tiers + "classifier: {model: small, cap_tier: b}"
    )


def test_a_classifier_that_is_off_may_name_any_model(write: Write) -> None:
    rules = load(write("tiers: {a: {model: small}}\nclassifier: {enabled: false}"))
    assert not rules.policy.classifier.enabled


def test_a_model_without_a_price_is_an_error_where_the_model_stands(problems: Problems) -> None:
    (problem,) = problems(prices=PRICES.replace("  large:", "  lareg:"))
    assert problem.startswith("models.yaml:11:3: `large` has no price in ")
    assert problem.endswith("prices.yaml (did you mean `lareg`?)")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("small-20260101", "large", "5:15: the alias `large` already names the model `large`"),
        (
            "retired: {old: small}",
            "retired: {small: large}",
            "20:11: `small` is retired, and names the model `small` too",
        ),
        (
            "retired: {old: small}",
            "retired: {old: smal}",
            "20:16: `smal` is no model of this file (did you mean `small`?)",
        ),
        ("replacement: small", "replacement: smol", "19:18: `smol` is no model of this file (did you mean `small`?)"),
        ("2026-12-01", "2026-13-01", "18:14: `retires` takes a day such as 2026-11-30, not `2026-13-01`"),
        ("2026-12-01", "2026-W48-1", "18:14: `retires` takes a day such as 2026-11-30, not `2026-W48-1`"),
        (
            "off: disabled",
            "off: between_tools",
            "9:67: thinking is turned off with `between_tools`, which is not among",
        ),
    ],
)
def test_a_catalogue_that_contradicts_itself_is_refused(
    problems: Problems, before: str, after: str, expected: str
) -> None:
    problem = problems(models=MODELS.replace(before, after))[0]
    assert f"models.yaml:{expected}" == problem[: len("models.yaml:") + len(expected)]


def test_a_model_warns_for_thirty_days_before_it_retires_and_is_an_error_from_that_day_on(write: Write) -> None:
    path = write()
    assert () == load(path).warnings
    assert () == load(path, today=date(2026, 10, 31)).warnings
    (warning,) = load(path, today=date(2026, 11, 1)).warnings
    assert warning.endswith("policy.yaml:3:10: the model `large` retires on 2026-12-01, in 30 days; use `small`")
    with pytest.raises(PolicyError, match="the model `large` retired on 2026-12-01; use `small`"):
        load(path, today=date(2026, 12, 1))


def test_what_is_legal_but_unwise_is_a_warning_and_the_policy_loads(write: Write) -> None:
    text = POLICY.replace("small}\n  dear: {model: large", "large}\n  low: {model: small", 1)
    path = write(text + "tasks: {chat: {max_tokens: 501}}\n")
    assert [
        "policy.yaml:3:3: the tier `low` is cheaper than `cheap` above it: cheapest first",
        "policy.yaml:5:9: the task `chat` has no description: the classifier has only its name",
        "policy.yaml:5:16: `max_tokens` 501 is more than a tier can write (500); cut there",
    ] == [warning.replace(f"{path.parent}/", "") for warning in load(path).warnings]
