"""Rules that cannot be: told with their place, what is allowed, and the nearest right name."""

from __future__ import annotations

import pytest

from router.policyfile import load
from tests.policy.conftest import POLICY, Problems, Write

HEAD = POLICY + "tasks: {chat: {description: x}}\nrules:\n"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{name: r}", "7:12: the rule `r` does nothing; give it one of tier, model, task, refuse, canned"),
        ("{name: r, tier: cheep}", "7:21: no tier is called `cheep` (did you mean `cheap`?); there are: cheap, dear"),
        ("{name: r, task: chta}", "7:21: no task is called `chta` (did you mean `chat`?); there are: chat"),
        ("{name: r, model: smal}", "7:22: models.yaml has no model `smal` (did you mean `small`?)"),
        ("{name: r, tier: cheap, model: small}", "7:28: tier and model do not go together; a rule has one of"),
        ("{name: r, tier: cheap, refuse: no}", "7:28: tier and refuse do not go together; a rule has one of"),
        ("{name: r, task: chat, canned: no}", "7:27: task and canned do not go together; a rule has one of"),
        (
            "{name: r, tier: cheap, when: {header: {Authorization: x}}}",
            "7:44: header names are lower-case here: `authorization`",
        ),
        (
            "{name: r, tier: cheap, when: {header: {x-api-key: x}}}",
            "7:44: `x-api-key` holds a secret; no rule may read it",
        ),
        (
            "{name: r, tier: cheap, when: {turns: {at_least: 5, below: 5}}}",
            "7:35: nothing is at least 5 and below 5",
        ),
        ("{name: r, tier: cheap, when: {keywords: [' ']}}", "7:46: an empty keyword is in every text; remove it"),
        (
            "{name: r, tier: cheap, when: {matches: '(?=x)'}}",
            "7:44: this is no regular expression that RE2 takes: invalid perl operator: (?=",
        ),
        (
            "{name: r, tier: cheap, when: {language: [deu]}}",
            "7:46: `deu` is no language code that is told apart (did you mean `eu`?); such as en, de, fr",
        ),
        ("{name: r, tier: cheap, when: {workload: nightly}}", "7:45: an entry of `workload` takes one of"),
        ("{name: r, tier: cheap, when: {featur: x}}", "7:35: unknown key `featur` in `when` (did you mean `feature`?)"),
        ("{tier: cheap}", "7:5: an entry of `rules` needs the key `name`"),
    ],
)
def test_a_rule_that_cannot_be_is_told(rule: str, told: str, problems: Problems) -> None:
    found = problems(f"{HEAD}  - {rule}\n")
    assert any(problem.startswith(f"policy.yaml:{told}") for problem in found), found


def test_two_rules_cannot_have_one_name(problems: Problems) -> None:
    rules = "  - {name: r, tier: cheap, when: {feature: a}}\n  - {name: r, tier: dear}\n"
    assert ["policy.yaml:8:12: a rule is already called `r`; each name stands once"] == problems(HEAD + rules)


SHADOWED = "the rule `second` can never match: `first` above it matches all that it does"


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        ("", "when: {feature: a}, ", True),
        ("when: {feature: a*}, ", "when: {feature: [ab, ac]}, ", True),
        ("when: {feature: ab}, ", "when: {feature: a*}, ", False),
        ("when: {feature: a}, ", "when: {feature: a, tools: true}, ", True),
        ("when: {feature: a, tools: true}, ", "when: {feature: a}, ", False),
        ("when: {tools: true}, ", "when: {tools: false}, ", False),
        ("when: {turns: {at_least: 3}}, ", "when: {turns: {at_least: 5, below: 9}}, ", True),
        ("when: {turns: {at_least: 3, below: 6}}, ", "when: {turns: {at_least: 5}}, ", False),
        ("when: {keywords: [a, b]}, ", "when: {keywords: a}, ", True),
        ("when: {keywords: a}, ", "when: {keywords: [a, b]}, ", False),
        ("when: {matches: a}, ", "when: {matches: a, tools: true}, ", True),
        ("when: {header: {x: [a, b]}}, ", "when: {header: {x: a, y: z}}, ", True),
        ("when: {header: {x: a}}, ", "when: {tools: true}, ", False),
        ("", "when: {model: m*}, ", False),  # the first leaves a named model alone
    ],
)
def test_a_rule_that_can_never_match_is_a_warning(first: str, second: str, shadowed: bool, write: Write) -> None:
    rules = f"  - {{name: first, {first}tier: cheap}}\n  - {{name: second, {second}tier: dear}}\n"
    warnings = load(write(HEAD + rules)).warnings
    assert shadowed == any(SHADOWED in warning for warning in warnings), warnings


def test_a_rule_that_refuses_everything_hides_what_stands_below_it(write: Write) -> None:
    rules = "  - {name: first, refuse: no}\n  - {name: second, when: {model: m}, tier: dear}\n"
    assert any(SHADOWED in warning for warning in load(write(HEAD + rules)).warnings)
