"""Requests that were kept are graded, and some are run once more: over real sockets, and paid for once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evals.cli.opening import opened
from evals.cli.sample import Wanted, graded
from evals.desk import Options
from evals.labels import AGREES, CONTRACT, NOT_TAKEN, counted, read_labels
from evals.question import PAST
from evals.sampling import body_for
from router.app import running_service
from router.clock import SystemClock
from router.errors import StartError
from router.ledger.prompts import kept_prompts
from router.ledger.report import NoLedger
from router.standin import StandIn, running_standin
from router.standin.faults import Fault
from router.vocabulary import PICO_PER_USD, Caller
from router.wire.ask import read_complete

from .engine.scene import MAKING, nobody, settings_for

POLICY = """
tiers: {haiku: {model: claude-haiku-5-5}, sonnet: {model: claude-sonnet-5-5}}
default: {tier: haiku, task: spam}
tasks: {spam: {output: {type: enum, values: ["yes", "no"]}}}
sampling: {keep: 1, shadow: 1}
"""
TWO_TASKS = POLICY.replace("}}}\n", "}}, ham: {output: {type: enum, values: [a, b]}}}\n").replace("w: 1", "w: 0.5")
TOOL = {"name": "sort", "input_schema": {"type": "object"}}
REQUESTS = 12


def says(body: dict[str, Any]) -> str:
    """Sonnet is always right; haiku is not where the number is a multiple of four."""
    number = int(str(body["messages"][-1]["content"]).rpartition(" ")[2])
    wrong = "haiku" in body["model"] and number % 4 == 0
    return '{"answer": "no"}' if wrong else '{"answer": "yes"}'


async def served(url: str, folder: Path, task: str = "spam", **fields: Any) -> None:
    """A service that keeps what it is asked."""
    async with running_service(settings_for(url, folder, folder / "policy.yaml"), None) as service:
        for number in range(REQUESTS):
            asked = {"prompt": f"Is this {task}? {number}", "router": {"task": task}, "model": "haiku", **fields}
            ask = read_complete(msgspec.json.encode(asked), {})
            await service.pipeline.handle(ask, Caller(request_id=f"req_{task}_{number}"))


def answers_on_disk(folder: Path) -> list[Path]:
    """Whoever's they are."""
    root = folder / "evals"
    return [path for name in ("answers", "past", "in-flight") for path in (root / name).rglob("*.json")]


async def answered(standin: StandIn) -> int:
    return len(standin.bill().rows)


@pytest.mark.anyio
async def test_kept_requests_are_graded_by_their_contract_and_by_the_top_tier(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    async with running_standin(clock=SystemClock(), script=says) as standin:
        await served(standin.url, tmp_path)
        settings = settings_for(standin.url, tmp_path, tmp_path / "policy.yaml")
        outcome = await graded(settings, Wanted())
        assert (REQUESTS, REQUESTS, 0, "") == (outcome.kept, outcome.drawn, outcome.failed, outcome.stopped)
        labels = read_labels(tmp_path)
        agrees, contract = counted(labels)["spam"]["haiku"], counted(labels, CONTRACT)["spam"]["haiku"]
        assert (REQUESTS, REQUESTS - 3) == (agrees.cases, agrees.passed)
        assert (REQUESTS, REQUESTS) == (contract.cases, contract.passed)
        calls = await answered(standin)
        again = await graded(settings, Wanted())
        assert (0, calls) == (again.drawn, await answered(standin))  # who is labelled is not asked again
        assert [] == answers_on_disk(tmp_path)


@pytest.mark.anyio
async def test_an_answer_that_a_kill_left_behind_is_used_once_and_gone(tmp_path: Path) -> None:
    """Killed after the answers were paid for, and before their labels were written."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    async with running_standin(clock=SystemClock(), script=says) as standin:
        await served(standin.url, tmp_path)
        settings = settings_for(standin.url, tmp_path, tmp_path / "policy.yaml")
        async with opened(settings, Options(max_pico=PICO_PER_USD, quiet=True), (), MAKING) as desk:
            for one in list(kept_prompts(tmp_path))[:3]:
                await desk.asker(PAST).ask_request("sonnet", "spam", body_for(one))
        assert 3 == len(answers_on_disk(tmp_path))
        calls = await answered(standin)
        assert REQUESTS == (await graded(settings, Wanted())).drawn
        assert calls + REQUESTS - 3 == await answered(standin)
        assert [] == answers_on_disk(tmp_path)
        (tmp_path / "evals" / "past" / "past-left.json").write_text("{}")
        await graded(settings, Wanted(shadow=False))
        assert [] == answers_on_disk(tmp_path)


@pytest.mark.anyio
async def test_the_share_is_of_the_requests_and_not_of_each_command(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("shadow: 1", "shadow: 0.25"))
    async with running_standin(clock=SystemClock(), script=says) as standin:
        await served(standin.url, tmp_path)
        settings = settings_for(standin.url, tmp_path, tmp_path / "policy.yaml")
        drawn = [(await graded(settings, Wanted(task=task))).drawn for task in ("other", None, "spam", None)]
        assert [0, 3, 0, 0] == drawn


@pytest.mark.anyio
async def test_only_requests_of_the_task_are_counted_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(TWO_TASKS)
    async with running_standin(clock=SystemClock(), script=says) as standin:
        await served(standin.url, tmp_path)
        await served(standin.url, tmp_path, task="ham")
        settings = settings_for(standin.url, tmp_path, tmp_path / "policy.yaml")
        assert [6, 6] == [(await graded(settings, Wanted(task=task))).drawn for task in ("spam", "ham")]


@pytest.mark.anyio
async def test_a_request_that_a_tier_does_not_take_is_passed_over_and_not_tried_again(tmp_path: Path) -> None:
    """Of these only haiku can be made to call a tool."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    async with running_standin(clock=SystemClock(), script=says) as standin:
        await served(standin.url, tmp_path, tools=[TOOL], tool_choice={"type": "any"})
        settings = settings_for(standin.url, tmp_path, tmp_path / "policy.yaml")
        calls = await answered(standin)
        outcome = await graded(settings, Wanted())
        assert (REQUESTS, REQUESTS, "", calls) == (
            outcome.drawn, outcome.failed, outcome.stopped, await answered(standin)
        )  # fmt: skip
        assert outcome.why.startswith("a past request cannot be asked of sonnet: ")
        assert {NOT_TAKEN: REQUESTS, CONTRACT: REQUESTS} == Counter(one.how for one in read_labels(tmp_path))
        assert 0 == (await graded(settings, Wanted())).drawn


@pytest.mark.anyio
async def test_a_request_that_nobody_answers_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    async with running_standin(clock=SystemClock(), script=says) as standin:
        await served(standin.url, tmp_path)
        settings = settings_for(standin.url, tmp_path, tmp_path / "policy.yaml")
        standin.faults.add(Fault(kind="status", status=400, error_type="invalid_request_error"))
        outcome = await graded(settings, Wanted())
        assert (REQUESTS, "") == (outcome.failed, outcome.stopped)
        assert 0 == (await graded(settings, Wanted())).drawn


@pytest.mark.anyio
async def test_without_a_key_it_says_how_to_grade_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    async with running_standin(clock=SystemClock(), script=says) as standin:
        await served(standin.url, tmp_path)
    keyless = nobody(tmp_path).model_copy(update={"policy": tmp_path / "policy.yaml"})
    with pytest.raises(StartError, match="ANTHROPIC_API_KEY to run past requests on another tier, or add --no-shadow"):
        await graded(keyless, Wanted())
    assert REQUESTS == len((await graded(keyless, Wanted(shadow=False))).labels)


@pytest.mark.anyio
async def test_without_leave_nobody_is_run_again_and_nothing_is_spent(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("shadow: 1", "shadow: 0"))
    async with running_standin(clock=SystemClock(), script=says) as standin:
        await served(standin.url, tmp_path)
        calls = await answered(standin)
        outcome = await graded(settings_for(standin.url, tmp_path, tmp_path / "policy.yaml"), Wanted())
        assert (REQUESTS, 0, calls) == (outcome.kept, outcome.drawn, await answered(standin))
    assert {} == counted(read_labels(tmp_path), AGREES)


@pytest.mark.anyio
async def test_what_it_may_spend_ends_it(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("shadow: 1}", "shadow: 1, shadow_usd: 0.0001}"))
    async with running_standin(clock=SystemClock(), script=says) as standin:
        await served(standin.url, tmp_path)
        outcome = await graded(settings_for(standin.url, tmp_path, tmp_path / "policy.yaml"), Wanted())
        assert "the cap of" in outcome.stopped


@pytest.mark.anyio
async def test_where_nothing_was_kept_it_says_how(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    with pytest.raises(NoLedger, match="sampling"):
        await graded(settings_for("http://127.0.0.1:1", tmp_path, tmp_path / "policy.yaml"), Wanted())
