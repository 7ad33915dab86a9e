"""What a prompt would cost under an expected traffic, before it is ever sent."""

from __future__ import annotations

import json
from pathlib import Path as File
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from router.cli.cache import cache
from router.decide.forecast import Forecast, Traffic, forecast, volatile
from router.decide.policy import CacheRules
from router.wire.ask import read_messages
from router.wire.prefix import read_path

from ..rulebooks import POLICIES, default_rules

RULES = default_rules()
MODEL = "claude-haiku-5-5"
SYSTEM = "word " * 1_500  # 7,500 characters: 3,000 tokens


def planned(per_hour: float, turns: float = 1.0, **fields: Any) -> Forecast:
    body = {"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "."}], "system": SYSTEM, **fields}
    one = read_messages(msgspec.json.encode(body), {})
    path = read_path(one.fields, one.facts)
    assert path is not None
    price = RULES.prices.by_model[MODEL][0]
    return forecast(path, Traffic(per_hour=per_hour, turns=turns), (MODEL, RULES.models[MODEL]), price, CacheRules())


def test_busy_traffic_is_marked_for_five_minutes_slow_for_an_hour_and_rare_not_at_all() -> None:
    ttls = [[mark.ttl for mark in planned(per_hour).marks] for per_hour in (600, 3, 0.1)]
    assert ttls == [["5m"], ["1h"], []]


def test_the_costs_are_writes_reads_and_plain_tokens() -> None:
    one = planned(600)
    marked = one.marks[-1].tokens
    rest = (one.tokens - marked) * 100_000
    assert one.cold_pico == marked * 125_000 + rest
    assert one.warm_pico == marked * 10_000 + rest
    assert one.plain_pico == one.tokens * 100_000
    assert one.hour_pico < one.plain_hour_pico / 8


@pytest.mark.parametrize("per_hour", [0.05, 0.3, 1, 2, 5, 20, 500])
def test_no_traffic_is_forecast_to_cost_more_with_marks_than_without(per_hour: float) -> None:
    one = planned(per_hour)
    assert one.hour_pico <= one.plain_hour_pico
    assert one.pays_from_per_hour is not None
    assert bool(one.marks) is (per_hour > one.pays_from_per_hour)


def test_a_conversation_is_marked_at_its_end_too() -> None:
    turns = [
        {"role": "user", "content": SYSTEM},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And?"},
    ]
    assert [mark.turn for mark in planned(60, 8, messages=turns).marks] == [-1, 2]
    assert [mark.turn for mark in planned(60, 1, messages=turns).marks] == [-1]


def test_marks_that_a_prompt_has_already_cost_what_they_cost() -> None:
    own = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
    ours, theirs = planned(120), planned(120, system=own)
    assert (len(theirs.marks), len(theirs.own), theirs.missing_tokens) == (0, 1, 0)
    assert theirs.cold_pico == pytest.approx(ours.cold_pico, rel=0.05)
    assert theirs.hour_pico == pytest.approx(ours.hour_pico, rel=0.05)


def test_what_is_short_of_the_minimum_says_by_how_much() -> None:
    one = planned(600, system="word " * 100)
    assert one.marks == ()
    assert 400 < one.missing_tokens < 820


@pytest.mark.parametrize(
    ("line", "varies"),
    [
        ("Today is 2026-11-21.", True),
        ("Current time: 12:04", True),
        ("request_id: 8f14e45f-ceea-467a-9575-1f1c8f0d3e12", True),
        ("now=1795000000", True),
        ("Answer in one sentence.", False),
        ("Version 2.11 of the product costs 12 USD.", False),
    ],
)
def test_lines_that_are_likely_others_in_each_call_are_found(line: str, varies: bool) -> None:
    assert bool(volatile([line])) is varies


def run(file: File, *arguments: str) -> Any:
    result = CliRunner().invoke(
        cache,
        ["plan", str(file), "--policy", str(POLICIES / "default.yaml"), *arguments],
        env={"COLUMNS": "160"},
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.output


def test_the_command_plans_a_body_and_says_what_to_change(tmp_path: File) -> None:
    file = tmp_path / "request.json"
    file.write_text(
        json.dumps({"system": f"Today is 2026-11-21.\n{SYSTEM}", "messages": [{"role": "user", "content": "x"}]})
    )
    shown = run(file, "--per-hour", "120")
    assert "system 5m" in shown
    assert "Line 1 of the system prompt looks like a date or a time" in shown
    found = run(file, "--per-hour", "120", "--json")
    assert [one["tier"] for one in found["tiers"]] == list(RULES.tier_order)
    assert float(found["tiers"][0]["warm_usd"]) < float(found["tiers"][0]["cold_usd"])


def test_a_text_is_taken_for_the_system_prompt(tmp_path: File) -> None:
    file = tmp_path / "system.txt"
    file.write_text("Be brief.")
    assert "short of what is surely cached" in run(file, "--per-hour", "100")


@pytest.mark.parametrize("content", [b'{"messages": 5}', b"\xff\xfe", b'{"system": 5}'])
def test_a_file_that_is_no_prompt_gets_one_clear_line(content: bytes, tmp_path: File) -> None:
    file = tmp_path / "odd.json"
    file.write_bytes(content)
    result = CliRunner().invoke(cache, ["plan", str(file), "--per-hour", "1"])
    assert "Traceback" not in result.output
    assert result.exit_code in (0, 1)
