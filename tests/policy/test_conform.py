"""Each wrong key or value is reported where it stands, with what is allowed; all of them at once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from router.decide.policy import Policy
from router.policyfile import load
from router.policyfile.conform import conform
from router.policyfile.document import Mapping, _tree
from router.policyfile.pricelist import PriceFile
from router.policyfile.report import Page, Report
from tests.policy.conftest import POLICY, Problems, Write

TIERS = "tiers: {cheap: {model: small}}\nclassifier: {model: small}\n"
NAME = "a name (a lower-case letter, then lower-case letters, digits, - and _, at most 64)"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "tsks: {}",
            "3:1: unknown key `tsks` in the file (did you mean `tasks`?); allowed: version, extends, tiers, default, ",
        ),
        (
            "tasks: {a: {max_token: 5}}",
            "3:13: unknown key `max_token` in `tasks.a` (did you mean `max_tokens`?); allowed: ",
        ),
        (
            "tasks: {a: {max_tokens: many}}",
            "3:25: `max_tokens` takes a whole number of at least 1 and at most 1,000,000, not `many`",
        ),
        (
            "tasks: {a: {max_tokens: 0}}",
            "3:25: `max_tokens` takes a whole number of at least 1 and at most 1,000,000, not `0`",
        ),
        ("tasks: {a: {max_tokens: 4_096}}", "3:25: `max_tokens` takes a whole number of"),
        (
            'tasks: {a: {max_tokens: "512"}}',
            "3:25: `max_tokens` takes a whole number of at least 1 and at most 1,000,000, not `512`; remove the quotes",
        ),
        ("tasks: {a: {max_tokens: 512.0}}", "3:25: `max_tokens` takes a whole number of"),
        ("tasks: {a: {timeout_s: 0}}", "3:24: `timeout_s` takes a number of more than 0, not `0`"),
        ("tasks: {a: {timeout_s: .inf}}", "3:24: `timeout_s` takes a number of more than 0, not `.inf`"),
        ("tasks: {a: {timeout_s: 1e999}}", "3:24: `timeout_s` takes a number of more than 0, not `1e999`"),
        ("tasks: {a: {description: 7}}", '3:26: `description` takes text, not `7`; put quotes around it: "7"'),
        ("tasks: {a: {description: true}}", '3:26: `description` takes text, not `true`; put quotes around it: "true"'),
        (
            "tasks: {a: {description: }}",
            "3:13: `description` takes text, not nothing (remove the key to keep its default)",
        ),
        ("tasks: {a: {description: [x]}}", "3:26: `description` takes text, not a list"),
        ("tasks: {a: {examples: {x: y}}}", "3:23: `examples` takes a list, such as [a, b], not keys and values"),
        ("tests: x", "3:8: `tests` takes a list, such as [a, b], not `x`"),
        (
            "tasks: {a: {examples: [x, 7]}}",
            '3:27: an entry of `examples` takes text, not `7`; put quotes around it: "7"',
        ),
        ("tasks: {Big: {}}", f"3:9: a key of `tasks` takes {NAME}, not `Big`"),
        ('tasks: {"a\\n": {}}', f"3:9: a key of `tasks` takes {NAME}, not `a `"),
        ("tasks: [a]", "3:8: `tasks` takes names, each with its value, not a list"),
        ("tasks: {a: small}", "3:12: `tasks.a` takes keys and values (description, examples, "),
        ("tasks:", "3:1: `tasks` takes names, each with its value, not nothing (remove the key to keep its default)"),
        (
            "difficulty: {hard: cheap}",
            "3:14: a key of `difficulty` takes one of complex, edge_case, simple, not `hard`",
        ),
        ("default: {tier: cheap}", "3:1: `default` needs the key `task`: The task of a request that nobody named."),
        ("sticky: {enabled: yes}", "3:19: `enabled` takes true or false, not `yes`"),
        ("cache: {marks: atuo}", "3:16: `marks` takes one of auto, off, not `atuo` (did you mean `auto`?)"),
        ("version: 2", "3:10: `version` takes only 1, not `2`"),
        ('version: "1"', "3:10: `version` takes only 1, not `1`"),
    ],
)
def test_one_wrong_line_is_one_problem_that_says_what_to_do(problems: Problems, line: str, expected: str) -> None:
    (problem,) = problems(TIERS + line)
    assert f"policy.yaml:{expected}" == problem[: len("policy.yaml:") + len(expected)]


def test_a_policy_without_a_single_tier_is_told_so(problems: Problems) -> None:
    assert ["policy.yaml:1:1: `tiers` must hold at least 1"] == problems("tiers: {}")
    assert ["policy.yaml:1:1: the file needs the key `tiers`: Cheapest first."] == problems("version: 1")


def test_all_problems_of_a_file_are_reported_in_the_order_of_its_lines(problems: Problems) -> None:
    found = problems(
        "difficulty: {simple: none}\n"
        "tiers:\n"
        "  cheap: {modle: small}\n"
        "  dear: {model: large, effort: hihg}\n"
        "x: 1\n"
        "classifier: {model: smol}\n"
    )
    assert [
        "policy.yaml:1:22: no tier is called `none`; the tiers are: cheap, dear",
        "policy.yaml:3:3: `tiers.cheap` needs the key `model`: A model id from models.yaml.",
        "policy.yaml:3:11: unknown key `modle` in `tiers.cheap` (did you mean `model`?)",
        "policy.yaml:4:32: `effort` takes one of high, low, max, medium, xhigh, not `hihg` (did you mean `high`?)",
        "policy.yaml:5:1: unknown key `x` in the file",
        "policy.yaml:6:21: models.yaml has no model `smol` (did you mean `small`?)",
    ] == [problem.split("; allowed: ")[0] for problem in found]


def test_the_line_is_shown_with_a_caret_under_what_is_wrong() -> None:
    page = Page("x.yaml", ["tiers:", "  a: {model: m, effort: hihg}"])
    report = Report()
    root = _tree("\n".join(page.lines), page, report)
    assert isinstance(root, Mapping)
    conform(root, Policy, page, report)
    (problem,) = report.errors
    assert ["    2 |   a: {model: m, effort: hihg}", "      |                         ^^^^"] == problem.split("\n")[1:]


def test_a_hundred_problems_are_enough(problems: Problems) -> None:
    assert 100 == len(problems(TIERS + "".join(f"unknown{number}: 1\n" for number in range(300))))


def test_yaml_1_1_surprises_are_plain_text() -> None:
    page = Page("x")
    root = _tree("tiers: {a: {model: no}, b: {model: 12:30:45}, c: {model: 2026-01-01}}", page, Report())
    assert isinstance(root, Mapping)
    policy = conform(root, Policy, page, Report())
    assert policy is not None
    assert ["no", "12:30:45", "2026-01-01"] == [tier.model for tier in policy.tiers.values()]


def test_a_price_is_read_from_its_digits_never_through_a_float() -> None:
    rates = "{since: 2026-01-01, input: 0.1, output: '0.30', write_5m: 1, write_1h: 999999999, read: 0.000000000001}"
    root = _tree(f"geo_percent: {{}}\nmodels: {{m: [{rates}]}}", Page("x"), Report())
    assert isinstance(root, Mapping)
    file = conform(root, PriceFile, Page("x"), Report())
    assert file is not None
    entry = file.models["m"][0]
    assert (Decimal("0.1"), Decimal("0.30"), Decimal("0.000000000001")) == (entry.input, entry.output, entry.read)


def test_a_single_text_is_a_list_of_one(write: Write) -> None:
    rules = load(write(POLICY + "tasks: {a: {examples: x}}"))
    assert ("x",) == rules.policy.tasks["a"].examples
