"""The rulebook that a policy becomes: defaults filled in, names resolved, hashed by what it says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from router.decide.policy import Rulebook
from router.errors import PolicyError
from router.policyfile import BUNDLED, DEFAULT_POLICY, load
from tests.policy.conftest import MODELS, POLICY, PRICES, Problems, Write

TODAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def bundled() -> Rulebook:
    return load(DEFAULT_POLICY, today=TODAY)


def test_a_policy_that_names_only_its_tiers_is_a_whole_policy(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("tiers: {a: {model: claude-haiku-5-5}, b: {model: claude-sonnet-5-5}}")
    rules = load(path, today=TODAY)
    assert ("a", "general", ["general"]) == (rules.default_tier, rules.default_task, list(rules.tasks))
    assert {"simple": "a", "complex": "b", "edge_case": "b"} == rules.difficulty
    assert {"interactive": 60, "background": 300, "batch": 600} == rules.deadline_s
    assert {"claude-haiku-5-5": "a", "claude-sonnet-5-5": "b"} == rules.tier_of_model
    assert () == rules.warnings


def test_one_two_and_four_tiers_share_the_three_difficulties(write: Write) -> None:
    tiers = [f"t{number}: {{model: small}}" for number in range(4)]
    expected = {1: ["t0", "t0", "t0"], 2: ["t0", "t1", "t1"], 4: ["t0", "t1", "t2"]}
    for count, names in expected.items():
        path = write(f"tiers: {{{', '.join(tiers[:count])}}}\nclassifier: {{model: small}}\n")
        assert names == list(load(path).difficulty.values())


def test_what_a_policy_says_overrides_what_it_leaves_out(write: Write) -> None:
    text = POLICY + "difficulty: {complex: cheap}\nlimits: {deadline_s: {batch: 9}}\n"
    text += "tasks: {b: {description: x}, a: {description: y}}\n"
    rules = load(write(text))
    assert {"simple": "cheap", "complex": "cheap", "edge_case": "dear"} == rules.difficulty
    assert {"interactive": 60, "background": 300, "batch": 9} == rules.deadline_s
    assert "b" == rules.default_task


def test_ids_and_aliases_name_the_same_model_and_price(write: Write) -> None:
    rules = load(write(POLICY.replace("model: small}\n  dear", "model: small-20260101}\n  dear")))
    assert {"small": "small", "small-20260101": "small", "large": "large"} == rules.ids
    assert rules.models["small"] == rules.models["small-20260101"]
    assert rules.prices.by_model["small"] == rules.prices.by_model["small-20260101"]
    assert "cheap" == rules.tier_of_model["small"]


def test_the_first_of_two_tiers_holds_the_model_that_both_have(write: Write) -> None:
    rules = load(write("tiers: {a: {model: small}, b: {model: small, effort: high}}\nclassifier: {model: small}"))
    assert {"small": "a"} == rules.tier_of_model


def test_the_hash_follows_what_is_said_and_not_how(write: Write) -> None:
    first = load(write()).hash
    assert first == load(write(f"# a comment\n{POLICY}sticky: {{enabled: true}}\nversion: 1\n")).hash
    assert first == load(write(models="# another\n" + MODELS)).hash
    others = [
        load(write(POLICY + "sticky: {enabled: false}\n")).hash,
        load(write("tiers:\n  dear: {model: large}\n  cheap: {model: small}\nclassifier: {model: small}\n")).hash,
        load(write(models=MODELS.replace("max_output: 500", "max_output: 501"))).hash,
    ]
    assert 4 == len({first, *others})
    assert 16 == len(first)


def test_the_price_hash_follows_the_prices_alone(write: Write) -> None:
    first = load(write()).prices.hash
    assert first == load(write(POLICY + "sticky: {enabled: false}\n", prices="# x\n" + PRICES)).prices.hash
    assert first == load(write(prices=PRICES.replace("output: 2,", "output: 2.00,"))).prices.hash
    assert first != load(write(prices=PRICES.replace("output: 2,", "output: 2.01,"))).prices.hash


def test_prices_become_pico_dollars_a_token_newest_first(write: Write) -> None:
    newer = "{since: 2026-10-07, input: 0.9, output: 2, write_5m: 1.25, write_1h: 2, read: 0.0001}"
    rules = load(write(prices=PRICES.replace("read: 0.1}]", f"read: 0.1}}, {newer}]")))
    new, old = rules.prices.by_model["small"]
    assert (900_000, 100) == (new.rates.input, new.rates.read)
    assert (1_000_000, 1_250_000, 100_000) == (old.rates.input, old.rates.write_5m, old.rates.read)
    assert datetime(2026, 10, 7, tzinfo=UTC).timestamp() * 1000 == new.since_ms


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("read: 0.1}", "read: 0.00000001}", "3:87: `read` has too many digits"),
        ("read: 0.1}", "read: 0.00001}", "3:87: `read` has too many digits"),
        ("input: 1,", "input: 1e3,", "3:38: `input` takes an amount of USD such as 0.10, not `1e3`"),
        ("input: 1,", "input: -1,", "3:38: `input` takes an amount of USD such as 0.10, not `-1`"),
        (
            "2026-01-01, input: 1",
            "2026-02-30, input: 1",
            "3:19: `since` takes a day such as 2026-10-07, not `2026-02-30`",
        ),
        (
            "{us: 110}",
            "{us: 0}",
            "1:19: `geo_percent.us` takes a whole number of at least 1 and at most 1,000, not `0`",
        ),
        ("  small: [{", "  small: []\n  tiny: [{", "3:3: `small` needs at least one price"),
    ],
)
def test_a_price_that_the_books_could_not_keep_exactly_is_refused(
    problems: Problems, before: str, after: str, expected: str
) -> None:
    found = problems(prices=PRICES.replace(before, after, 1))
    assert [f"prices.yaml:{expected}"] == [problem[: len("prices.yaml:") + len(expected)] for problem in found]


def test_two_prices_of_one_day_and_a_long_fast_price_are_refused(problems: Problems) -> None:
    rates = "input: 1, output: 1, write_5m: 1, write_1h: 1, read: 1"
    entry = f"{{since: 2026-01-01, {rates}, fast: {{{rates}}}, long: {{above_tokens: 5, {rates}}}}}"
    found = problems(prices=PRICES.replace("read: 0.1}]", f"read: 0.1}}, {entry}]"))
    assert ["`small` already has a price since 2026-01-01", "a price has `long` or `fast`, not both"] == [
        problem.split(": ", 1)[1].split(":")[0] for problem in found
    ]


def test_problems_of_all_three_files_are_reported_together(problems: Problems) -> None:
    found = problems("tires: {}\n" + POLICY, MODELS + "x: 1\n", PRICES + "y: 1\n")
    assert ["policy.yaml:1:1", "models.yaml:21:1", "prices.yaml:5:1"] == [problem.split(": ")[0] for problem in found]


def test_files_beside_the_policy_come_before_the_bundled_ones_and_named_ones_before_both(
    write: Write, tmp_path: Path
) -> None:
    assert {"small", "large"} == set(load(write()).models) - {"small-20260101"}
    rules = load(DEFAULT_POLICY, BUNDLED / "models.yaml", BUNDLED / "prices.yaml")
    assert "claude-haiku-5-5" in rules.models
    with pytest.raises(PolicyError, match=r"prices\.yaml: cannot be read"):
        load(write(), prices=tmp_path / "none" / "prices.yaml")


def test_the_bundled_policy_is_right_and_warns_of_nothing(bundled: Rulebook) -> None:
    assert () == bundled.warnings
    assert ("haiku", "sonnet", "opus", "fable") == bundled.tier_order
    assert ("sonnet", "general") == (bundled.default_tier, bundled.default_task)
    assert {"simple": "haiku", "complex": "sonnet", "edge_case": "opus"} == bundled.difficulty
    assert all(task.description for task in bundled.tasks.values())
    assert "{request_id}" in (bundled.policy.fallbacks.canned or "")


def test_the_bundled_prices_are_those_of_the_price_list(bundled: Rulebook) -> None:
    """USD a million tokens: input, output, 5m write, 1h write, read, of the newest price."""
    listed = {
        "claude-haiku-5-5": "0.10 0.50 0.125 0.20 0.01",
        "claude-sonnet-5-5": "2 10 2.50 4 0.10",
        "claude-opus-5-5": "4 20 5 8 0.20",
        "claude-fable-5-2": "8 40 10 16 0.20",
        "claude-mythos-5-2": "8 40 10 16 0.20",
        "claude-fable-5-1": "10 50 12.5 20 0.25",
        "claude-fable-5": "10 50 12.5 20 1.00",
        "claude-opus-5": "5 25 6.25 10 0.50",
        "claude-opus-4-8": "5 25 6.25 10 0.50",
        "claude-opus-4-7": "5 25 6.25 10 0.50",
        "claude-opus-4-6": "5 25 6.25 10 0.50",
        "claude-opus-4-5": "5 25 6.25 10 0.50",
        "claude-sonnet-5": "2 10 2.5 4 0.20",
        "claude-sonnet-4-6": "3 15 3.75 6 0.30",
        "claude-sonnet-4-5": "3 15 3.75 6 0.30",
        "claude-haiku-4-5": "1 5 1.25 2 0.10",
    }
    assert set(listed) == set(bundled.ids.values())
    for model, text in listed.items():
        rates = msgspec.structs.astuple(bundled.prices.by_model[model][0].rates)
        assert [round(float(figure) * 1_000_000) for figure in text.split()] == list(rates), model


def test_every_bundled_cache_minimum_is_the_documented_one(bundled: Rulebook) -> None:
    special = {"claude-opus-4-8": 1024, "claude-sonnet-5": 1024, "claude-sonnet-4-6": 1024, "claude-sonnet-4-5": 1024}
    special |= {"claude-opus-4-7": 2048, "claude-opus-4-6": 4096, "claude-opus-4-5": 4096, "claude-haiku-4-5": 4096}
    for model in set(bundled.ids.values()):
        assert special.get(model, 512) == bundled.models[model].cache_minimum, model


def test_every_file_of_policies_begins_by_pointing_editors_at_the_schema_or_is_no_policy() -> None:
    for path in [DEFAULT_POLICY, *BUNDLED.glob("presets/*.yaml")]:
        assert path.read_text().startswith("# yaml-language-server: $schema="), path.name
