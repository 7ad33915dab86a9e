"""The prompt cache through the real service and the SDK: what is written, read, billed, told and explained."""

from __future__ import annotations

import json
import random
from typing import Any

import anthropic
import msgspec
import pytest
from click.testing import CliRunner

from router.cli.usage import usage

from ..bench.traffic import text
from .street import TURN, Street, messages, raw

SYSTEM = text(random.Random(5), 3_000)
FEATURE = {"x-router-feature": "support"}


async def conversation(client: anthropic.AsyncAnthropic, session: str, turns: int, **fields: Any) -> list[Any]:
    said: list[Any] = []
    usages = []
    for number in range(turns):
        said.append({"role": "user", "content": f"Question {number} of {session}"})
        headers = {**FEATURE, "x-router-session": session}
        answer = await client.messages.create(
            **{"model": "claude-haiku-5-5", "max_tokens": 200, "system": SYSTEM, "messages": said, **fields},
            extra_headers=headers,
        )
        said.append({"role": "assistant", "content": [block.model_dump() for block in answer.content]})
        usages.append(answer.usage)
    return usages


@pytest.mark.anyio
async def test_the_second_turn_reads_what_the_first_one_wrote(client: anthropic.AsyncAnthropic) -> None:
    first, *later = await conversation(client, "a", 4)
    assert first.cache_creation_input_tokens > 2_900
    assert all(one.cache_read_input_tokens >= 2_900 for one in later)
    reads = [one.cache_read_input_tokens for one in later]
    assert reads == sorted(reads)
    assert reads[-1] > reads[0]


@pytest.mark.anyio
async def test_the_sum_over_all_requests_is_the_bill_of_the_stand_in(
    street: Street, client: anthropic.AsyncAnthropic
) -> None:
    before = told(street)
    for name in ("b", "c", "d"):
        await conversation(client, name, 3)
    after, bill = told(street), street.bill()
    for ours, theirs in (
        ("input_tokens", "input_tokens"),
        ("cache_read_tokens", "cache_read_input_tokens"),
        ("cache_write_5m_tokens", "cache_write_5m_tokens"),
        ("cache_write_1h_tokens", "cache_write_1h_tokens"),
    ):
        assert after[ours] - before[ours] == sum(int(str(row[theirs])) for row in bill)
    cost = sum(int(str(row["cost_pico"])) for row in bill)
    assert round((float(after["cost_usd"]) - float(before["cost_usd"])) * 1e12) == cost
    assert float(after["saved_usd"]) > float(before["saved_usd"])


def told(street: Street) -> dict[str, Any]:
    result = CliRunner().invoke(usage, ["--cache", "--json", "--data-dir", str(street.data_dir)])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = msgspec.json.decode(result.stdout)["total"]
    return found


@pytest.mark.anyio
async def test_a_person_reads_what_was_saved_and_what_stood_in_the_way(
    street: Street, client: anthropic.AsyncAnthropic
) -> None:
    await conversation(client, "e", 2)
    shown = CliRunner().invoke(usage, ["--cache", "--data-dir", str(street.data_dir)], env={"COLUMNS": "160"}).output
    assert "support" in shown
    assert "Without caching all this would have cost" in shown
    assert "sent for the first time" in shown
    assert all(len(line) <= 160 for line in shown.splitlines() if "support" in line)


@pytest.mark.anyio
async def test_explain_shows_the_marks_and_that_the_prompt_is_warm(
    street: Street, client: anthropic.AsyncAnthropic
) -> None:
    await conversation(client, "f", 2)
    body = msgspec.json.encode(messages(model="claude-haiku-5-5", system=SYSTEM, max_tokens=200))
    status, answer = street.front.request("POST", "/explain", body, FEATURE)
    assert status == 200
    found = json.loads(answer)
    cache = found["ladder"][0]["cache"]
    assert cache["expected_read_tokens"] > 2_900
    assert cache["marks"][0]["turn"] == -1
    assert 0 < cache["marks"][0]["chance_5m"] <= 1
    haiku = found["candidates"][0]
    assert haiku["warm_tokens"] > 2_900
    assert float(haiku["prompt_usd_warm"]) <= float(haiku["prompt_usd_now"]) < float(haiku["prompt_usd_cold"])


@pytest.mark.anyio
async def test_metrics_count_the_causes_and_the_money(street: Street, client: anthropic.AsyncAnthropic) -> None:
    await conversation(client, "g", 2)
    page = street.front.get("/metrics")[1].decode()
    assert 'tierwise_cache_misses_total{kind="none"}' in page
    lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("tierwise_nanousd_total"))
    cost, plain = (int(lines[f'tierwise_nanousd_total{{kind="{kind}"}}']) for kind in ("answered", "uncached"))
    assert 0 < cost < plain


def test_marks_leave_every_other_byte_as_it_came(street: Street) -> None:
    """Odd spellings, unknown fields and key orders inside blocks travel on; only marks are put in."""
    odd = '{"type" : "text","text":"' + "é \\u00e9 \\/ " * 900 + '", "new_field":{"b":1.50,"a":[ ]}}'
    for word in ("hi", "ho"):
        body = (
            '{"max_tokens":50,"model":"claude-haiku-5-5","system":[' + odd + "],"
            '"messages":[{"content":"' + word + '","role":"user"}],"metadata":{"user_id":"u"}}'
        )
        status, answer = street.front.request("POST", "/v1/messages", body.encode(), {"anthropic-beta": "x-2026-01-01"})
        assert status == 200, answer
    sent = street.arrived()[-1].decode()
    without = sent.replace(',"cache_control":{"type":"ephemeral"}', "")
    assert without == body
    assert sent != body


def test_a_lone_question_is_sent_as_it_came(street: Street) -> None:
    fields = messages(messages=[{**TURN, "content": text(random.Random(1), 2_000)}])
    status, _ = raw(street, fields)
    assert (status, street.arrived()[-1]) == (200, msgspec.json.encode(fields))
