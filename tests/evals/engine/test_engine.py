"""The engine over real sockets: what is asked, what is paid, what is known the second time."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from inspect_ai.log import read_eval_log_async

from evals.cli.opening import Making
from evals.ports import Asker, Halted
from evals.vocabulary import Answered, Case, Grade, GraderSpec, Suite
from router.app import running_service
from router.standin import Fault, StandIn
from router.vocabulary import Caller
from router.wire.ask import read_complete

from .scene import SYSTEM, desk_at, render, settings_for, suite, upstream

pytestmark = pytest.mark.anyio

LONG = SYSTEM + " Be careful with every digit, and check the sum once more before you answer." * 60
POLICY = """
version: 1
tiers:
  haiku: {model: claude-haiku-5-5, effort: low}
  sonnet: {model: claude-sonnet-5-5}
  opus: {model: claude-opus-5-5, only_by_name: true}
tasks:
  classify: {description: Sums., max_tokens: 700, stop_sequences: ["###"]}
"""


def asked(standin: StandIn) -> list[dict[str, Any]]:
    """The bodies that arrived."""
    return [msgspec.json.decode(one.body) for one in standin.seen.requests if one.path == "/v1/messages"]


def unmarked(value: Any) -> Any:
    """Without cache marks, and without what a mark makes of a plain text: a list of one block."""
    if isinstance(value, list):
        bare = [unmarked(one) for one in value]
        return bare[0]["text"] if len(bare) == 1 and set(bare[0]) == {"type", "text"} else bare
    if isinstance(value, dict):
        return {name: unmarked(one) for name, one in value.items() if name != "cache_control"}
    return value


async def test_cases_are_asked_and_graded_in_their_order_and_the_bill_is_what_was_counted(tmp_path: Path) -> None:
    sums = suite(12)
    backwards = tuple(reversed(sums.cases))
    async with upstream() as standin, desk_at(standin, tmp_path, sums) as desk:
        tried = await desk.engine.run(sums, "haiku", backwards)
        assert [case.id for case in backwards] == [one.case for one in tried]
        assert [int(case.id[2:]) % 5 != 0 for case in backwards] == [one.grade.passed for one in tried]
        assert standin.bill().cost_pico == sum(one.answer.cost_pico for one in tried) == desk.spent_pico
        assert {("haiku", "claude-haiku-5-5", 0)} == {(one.tier, one.answer.model, one.epoch) for one in tried}


@pytest.mark.parametrize("tier", ["haiku", "sonnet", "opus"])
async def test_what_arrives_is_what_complete_would_send(tmp_path: Path, tier: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    sums = suite(1, system=LONG, max_tokens=None)
    words = {"task": "classify", "workload": "background"}
    fields = {"model": tier, "system": LONG, "prompt": render(sums, sums.cases[0]), "router": words}
    async with upstream() as standin:
        async with desk_at(standin, tmp_path / "data", sums, policy=policy) as desk:
            await desk.engine.run(sums, tier, sums.cases)
        settings = settings_for(standin.url, tmp_path / "production", policy)
        async with running_service(settings, None) as service:
            await service.pipeline.handle(read_complete(msgspec.json.encode(fields), {}), Caller(tenant="t"))
        measured, produced = asked(standin)
    assert unmarked(produced) == unmarked(measured)
    assert [700, ["###"]] == [measured["max_tokens"], measured["stop_sequences"]]


async def test_the_second_run_asks_nothing(tmp_path: Path) -> None:
    sums = suite(8)
    async with upstream() as standin:
        async with desk_at(standin, tmp_path, sums) as desk:
            first = await desk.engine.run(sums, "haiku", sums.cases)
        async with desk_at(standin, tmp_path, sums) as desk:
            assert first == await desk.engine.run(sums, "haiku", sums.cases)
            assert 0 == desk.spent_pico
            assert 0 == desk.estimate(sums, ["haiku"])[0].calls
        assert 8 == standin.bill().attempts


async def test_another_asking_is_another_answer_and_so_is_a_fresh_one(tmp_path: Path) -> None:
    sums = suite(3)
    async with upstream() as standin:
        async with desk_at(standin, tmp_path, sums) as desk:
            await desk.engine.run(sums, "haiku", sums.cases)
            again = await desk.engine.run(sums, "haiku", sums.cases, epoch=1)
            assert [1, 1, 1] == [one.epoch for one in again]
        assert 6 == standin.bill().attempts
        async with desk_at(standin, tmp_path, sums, fresh=True) as desk:
            await desk.engine.run(sums, "haiku", sums.cases[:2])
        assert 8 == standin.bill().attempts
        async with desk_at(standin, tmp_path, sums, fresh=True) as desk:
            assert ("goes on with what `--fresh` began and did not finish: sums",) == desk.notes
            await desk.engine.run(sums, "haiku", sums.cases)
        assert 9 == standin.bill().attempts


async def test_equal_prompts_at_one_time_share_one_call(tmp_path: Path) -> None:
    twins = tuple(Case(id=name, fields={"input": "7 + 7"}, expected="14") for name in ("a", "b", "c"))
    sums = msgspec.structs.replace(suite(1), cases=twins)
    async with upstream(latency_s=0.05) as standin, desk_at(standin, tmp_path, sums) as desk:
        tried = await desk.engine.run(sums, "haiku", sums.cases)
        assert [("a", "14"), ("b", "14"), ("c", "14")] == [(one.case, one.answer.text) for one in tried]
        assert 1 == standin.bill().attempts


async def test_a_torn_answer_is_asked_for_again(tmp_path: Path) -> None:
    sums = suite(3)
    async with upstream() as standin:
        async with desk_at(standin, tmp_path, sums) as desk:
            first, *_ = await desk.engine.run(sums, "haiku", sums.cases)
        key = first.answer.key
        path = tmp_path / "evals" / "answers" / key[:2] / f"{key}.json"
        path.write_bytes(path.read_bytes()[:40])
        async with desk_at(standin, tmp_path, sums) as desk:
            again, *_ = await desk.engine.run(sums, "haiku", sums.cases)
            assert ("2", key) == (again.answer.text, again.answer.key)
        assert 4 == standin.bill().attempts


async def test_what_a_policy_does_for_production_only_is_set_aside(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        POLICY
        + """
rules:
  - {name: all-to-opus, tier: opus}
budgets:
  little: {usd: 0.000001, per: day, then: refuse}
fallbacks:
  canned: Please try again.
  on: {refused: [up, canned]}
""",
        encoding="utf-8",
    )
    sums = suite(4)
    async with upstream() as standin, desk_at(standin, tmp_path / "data", sums, policy=policy) as desk:
        standin.faults.add(Fault(kind="refusal", match="3 + 3"))
        tried = await desk.engine.run(sums, "sonnet", sums.cases)
    assert [True, True, False, True] == [one.grade.passed for one in tried]
    assert ("refusal", "", "claude-sonnet-5-5") == (
        tried[2].answer.stop_reason,
        tried[2].answer.text,
        tried[2].answer.model,
    )


async def test_an_upstream_that_is_dead_halts_the_run_and_fails_no_case(tmp_path: Path) -> None:
    sums = suite(12)
    async with upstream() as standin:
        standin.faults.add(Fault(kind="status", status=401, match="6 + 6"))
        async with desk_at(standin, tmp_path, sums, concurrency=4) as desk:
            with pytest.raises(
                Halted, match=r"^1 call failed, after \d+ of 12 cases of sums on haiku \(sums on haiku, case s-006"
            ):
                await desk.engine.run(sums, "haiku", sums.cases)
        answered = standin.bill().attempts
        assert 12 > answered >= 5
        standin.faults.clear()
        async with desk_at(standin, tmp_path, sums) as desk:
            tried = await desk.engine.run(sums, "haiku", sums.cases)
            assert () == desk.notes
        assert 10 == sum(one.grade.passed for one in tried)
        assert 12 == standin.bill().attempts


async def test_a_run_that_is_cancelled_keeps_what_was_on_its_way(tmp_path: Path) -> None:
    sums = suite(6)
    async with upstream(latency_s=0.3) as standin:
        async with desk_at(standin, tmp_path, sums, concurrency=6) as desk:
            running = asyncio.ensure_future(desk.engine.run(sums, "haiku", sums.cases))
            while len(asked(standin)) < 6:  # noqa: ASYNC110 - the stand-in tells nobody
                await asyncio.sleep(0.01)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        async with desk_at(standin, tmp_path, sums) as desk:
            assert () == desk.notes
            assert 6 == len(await desk.engine.run(sums, "haiku", sums.cases))
        assert 6 == standin.bill().attempts


async def test_the_log_shows_grades_answers_and_what_they_cost(tmp_path: Path) -> None:
    sums = suite(5)
    async with upstream() as standin, desk_at(standin, tmp_path, sums) as desk:
        tried = await desk.engine.run(sums, "haiku", sums.cases)
    [path] = (tmp_path / "evals" / "logs").glob("*.eval")
    log = await read_eval_log_async(str(path))
    assert ("success", "tierwise/haiku") == (log.status, log.eval.model)
    samples = {str(sample.id): sample for sample in log.samples or []}
    assert sorted(one.case for one in tried) == sorted(samples)
    for one in tried:
        score = (samples[one.case].scores or {})["graded"]
        assert (one.answer.text, "C" if one.grade.passed else "I") == (score.answer, score.value)
        assert one.answer.key == (score.metadata or {})["key"]


async def test_the_engine_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, sys.excepthook)
    sums = suite(1)
    async with upstream() as standin, desk_at(standin, tmp_path, sums) as desk:
        await desk.engine.run(sums, "haiku", sums.cases)
    assert before == (list(root.handlers), root.level, sys.excepthook)


class Judging:
    """Asks a model what it thinks, as a judge does."""

    def __init__(self, suite: Suite, asker: Asker) -> None:
        self._asker = asker

    async def grade(self, case: Case, answer: Answered) -> Grade:
        schema: dict[str, object] = {
            "type": "object",
            "properties": {"passed": {"type": "boolean"}},
            "required": ["passed"],
            "additionalProperties": False,
        }
        said = await self._asker.ask_plain("sonnet", "You grade.", f"Is {answer.text} right for {case.id}?", schema)
        return Grade(passed="passed" in msgspec.json.decode(said.text))


async def test_a_judge_is_paid_by_its_suite_and_known_the_second_time(tmp_path: Path) -> None:
    sums = suite(3, grader=GraderSpec(kind="judge"))
    judging = Making(render=render, grader_of=Judging)
    async with upstream() as standin:
        for _ in range(2):
            async with desk_at(standin, tmp_path, sums, making=judging) as desk:
                tried = await desk.engine.run(sums, "haiku", sums.cases)
                assert [True] * 3 == [one.grade.passed for one in tried]
        bill = standin.bill()
        assert (6, {"claude-haiku-5-5": 3, "claude-sonnet-5-5": 3}) == (
            bill.attempts,
            {model: sum(row.model == model for row in bill.rows) for model in {row.model for row in bill.rows}},
        )


async def test_a_judge_without_an_answer_halts_the_run(tmp_path: Path) -> None:
    sums = suite(2)
    judging = Making(render=render, grader_of=Judging)
    async with upstream() as standin, desk_at(standin, tmp_path, sums, making=judging) as desk:
        standin.faults.add(Fault(kind="status", status=400, model="claude-sonnet-5-5"))
        with pytest.raises(Halted, match="sums on sonnet, its grader's own question"):
            await desk.engine.run(sums, "haiku", sums.cases)


async def test_a_past_request_is_asked_once_more_on_a_tier(tmp_path: Path) -> None:
    sums = suite(1)
    body = {
        "model": "claude-opus-5-5",
        "max_tokens": 500,
        "stream": True,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    async with upstream() as standin, desk_at(standin, tmp_path, sums, max_pico=10**12) as desk:
        asker = desk.asker("past-requests")
        answered = await asker.ask_request("haiku", "question", body)
        assert answered == await asker.ask_request("haiku", "question", body)
        assert ("You asked: Hi", 1) == (answered.text, standin.bill().attempts)
