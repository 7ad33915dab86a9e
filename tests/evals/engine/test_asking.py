"""One call of an eval: waits where there is no room, keeps what came, and never takes a failure for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from evals.answers import Answers, LeftOver, Mark
from evals.asking import TRIES, Asking, CallFailed, Refused
from evals.places import Places
from evals.question import Question, Questions
from evals.spending import CapReached, Purse
from router.errors import RequestError
from router.pipeline import Pipeline
from router.sending import Ready
from router.serving import Served
from router.vocabulary import Ask, Caller
from router.wire.ask import read_complete

pytestmark = pytest.mark.anyio


class Timeless:
    """A clock whose sleep is over at once, and remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.at_ms = 1_000

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic(self) -> float:
        return 1.0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def dice(self) -> float:
        return 0.5

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_1"


class Scripted:
    """A pipeline that does what the test says, call by call."""

    def __init__(self, *ends: object) -> None:
        self.ends = list(ends)
        self.asked: list[Ask] = []

    async def handle(self, ask: Ask, _caller: Caller) -> Served:
        self.asked.append(ask)
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return Served(status=200, headers=(), body=msgspec.json.encode(end))


class Named:
    """Stands for Questions, of which only these two are wanted here."""

    upstream = "http://127.0.0.1:9"

    def caller(self) -> Caller:
        return Caller(tenant="evals", request_id="req_1")


def message(text: str = "4", **router: Any) -> dict[str, Any]:
    receipt = {
        "model": "claude-haiku-5-5",
        "tier": "haiku",
        "served_by": "model",
        "outcome": "answered",
        "cost_usd": "0.000000000025",
        "usage": {"input_tokens": 5, "output_tokens": 2},
        "timing": {"model_ms": 7},
    }
    content = [
        {"type": "thinking", "thinking": "2 and 2 are"},
        {"type": "text", "text": text},
        {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 2}},
    ]
    return {"type": "message", "content": content, "stop_reason": "end_turn", "router": receipt | router}


def question() -> Question:
    ask = read_complete(b'{"model":"haiku","prompt":"What is 2 + 2?","max_tokens":9}', {})
    ready = Ready(model="claude-haiku-5-5", tier="haiku", body=ask.raw, input_tokens=5, max_tokens=9, worst_pico=90)
    return Question(key="ab12", suite="sums", tier="haiku", case="s-1", ask=ask, ready=ready, worst_pico=90)


def refused(code: str, *, spent: bool, retry_after_s: int | None = None) -> RequestError:
    error = RequestError(code, "no answer", retry_after_s=retry_after_s)
    error.spent = spent
    return error


class Scene:
    def __init__(self, folder: Path, *ends: object, cap_pico: int = 1_000) -> None:
        self.clock, self.pipeline, self.purse = Timeless(), Scripted(*ends), Purse(cap_pico)
        self.answers = Answers(Places(data_dir=folder))
        self.asking = Asking(
            pipeline=cast(Pipeline, self.pipeline),
            questions=cast(Questions, Named()),
            answers=self.answers,
            purse_of=cast(Callable[[str], Purse], lambda _: self.purse),
            clock=self.clock,
        )


async def test_an_answer_is_text_and_tool_calls_without_the_thinking(tmp_path: Path) -> None:
    scene = Scene(tmp_path, message())
    answered = await scene.asking.answer(question())
    assert ("4", 25, 7, "end_turn", 2) == (
        answered.text,
        answered.cost_pico,
        answered.latency_ms,
        answered.stop_reason,
        answered.usage.output_tokens,
    )
    assert ({"name": "add", "input": {"a": 2}},) == answered.tool_calls
    assert answered == Answers(Places(data_dir=tmp_path)).find("ab12")
    assert (25, 0, LeftOver()) == (scene.purse.spent_pico, scene.purse.held_pico, scene.answers.left_over())
    assert 90 == scene.pipeline.asked[0].words.max_cost_pico


async def test_where_there_is_no_room_it_waits_as_told_and_asks_again(tmp_path: Path) -> None:
    busy = refused("router_tier_overloaded", spent=False)
    limited = refused("router_rate_limited", spent=False, retry_after_s=20)
    scene = Scene(tmp_path, busy, limited, busy, message())
    assert "4" == (await scene.asking.answer(question())).text
    assert [2.5, 20.5, 8.5] == scene.clock.slept


async def test_it_does_not_wait_for_ever(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *[refused("router_rate_limited", spent=False)] * TRIES)
    with pytest.raises(CallFailed, match="sums on haiku, case s-1: no answer"):
        await scene.asking.answer(question())
    assert (TRIES - 1, 0) == (len(scene.clock.slept), scene.purse.spent_pico)


@pytest.mark.parametrize(("spent", "counted_pico"), [(True, 90), (False, 0)])
async def test_a_failure_is_no_answer_and_costs_what_it_may_have_cost(
    tmp_path: Path, spent: bool, counted_pico: int
) -> None:
    scene = Scene(tmp_path, refused("router_upstream_auth", spent=spent))
    with pytest.raises(CallFailed, match=r"no answer; is the key right for http://127\.0\.0\.1:9\?"):
        await scene.asking.answer(question())
    assert (counted_pico, 0) == (scene.purse.spent_pico, scene.purse.held_pico)
    assert (None, LeftOver()) == (scene.answers.find("ab12"), scene.answers.left_over())


async def test_one_dropped_connection_ends_no_run_and_its_worst_case_is_counted(tmp_path: Path) -> None:
    down = refused("router_all_tiers_down", spent=False, retry_after_s=9)  # as when a breaker is open
    dropped = [refused("router_bad_upstream", spent=True), down]
    scene = Scene(tmp_path, *dropped, message())
    assert "4" == (await scene.asking.answer(question())).text
    assert ([2.5, 9.5], 90 + 25, 0) == (scene.clock.slept, scene.purse.spent_pico, scene.purse.held_pico)


async def test_what_is_lost_again_and_again_never_passes_the_cap(tmp_path: Path) -> None:
    scene = Scene(tmp_path, *[refused("router_bad_upstream", spent=True)] * 3, cap_pico=200)
    with pytest.raises(CapReached):
        await scene.asking.answer(question())
    assert (180, 0, 1) == (scene.purse.spent_pico, scene.purse.held_pico, len(scene.pipeline.ends))


@pytest.mark.parametrize(
    ("code", "calls"),
    [("router_all_tiers_down", 3), ("router_bad_upstream", 3), ("router_deadline", 2), ("router_upstream_auth", 1)],
)
async def test_nobody_is_asked_for_ever(tmp_path: Path, code: str, calls: int) -> None:
    scene = Scene(tmp_path, *[refused(code, spent=False)] * 9)
    with pytest.raises(CallFailed, match="sums on haiku, case s-1: no answer"):
        await scene.asking.answer(question())
    assert calls == len(scene.pipeline.asked)


async def test_a_question_that_the_api_refuses_says_nothing_of_others(tmp_path: Path) -> None:
    scene = Scene(tmp_path, refused("router_bad_request", spent=False))
    with pytest.raises(Refused):
        await scene.asking.answer(question())


async def test_after_the_end_nothing_new_is_begun(tmp_path: Path) -> None:
    scene = Scene(tmp_path, message())
    await scene.purse.hold(950)  # another call holds what this one needs
    waiting = asyncio.ensure_future(scene.asking.answer(question()))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(scene.purse.settle, 950, 0)
    await scene.asking.close()
    with pytest.raises(CallFailed, match="not asked any more"):
        await waiting
    assert ([], 0, 0) == (scene.pipeline.asked, scene.purse.spent_pico, scene.purse.held_pico)


@pytest.mark.parametrize("router", [{"served_by": "canned"}, {"tier": "sonnet"}])
async def test_what_another_gave_is_no_answer_of_the_tier(tmp_path: Path, router: dict[str, str]) -> None:
    scene = Scene(tmp_path, message(**router))
    with pytest.raises(CallFailed, match="it was served by"):
        await scene.asking.answer(question())
    assert (None, LeftOver()) == (scene.answers.find("ab12"), scene.answers.left_over())


async def test_what_was_begun_and_not_answered_is_told_once(tmp_path: Path) -> None:
    answers = Answers(Places(data_dir=tmp_path))
    for key, worst_pico in (("aa", 30), ("bb", 12)):
        answers.begin(Mark(key=key, model="m", worst_pico=worst_pico, at_ms=1))
    scene = Scene(tmp_path, message())
    await scene.asking.answer(question())
    (tmp_path / "evals" / "in-flight" / "torn.json").write_bytes(b'{"key": "to')
    assert LeftOver(calls=2, worst_pico=42) == Answers(Places(data_dir=tmp_path)).left_over()
    assert LeftOver() == Answers(Places(data_dir=tmp_path)).left_over()


async def test_an_answer_under_another_name_is_none(tmp_path: Path) -> None:
    scene = Scene(tmp_path, message())
    await scene.asking.answer(question())
    kept = tmp_path / "evals" / "answers" / "ab" / "ab12.json"
    kept.with_name("abff.json").write_bytes(kept.read_bytes())
    assert Answers(Places(data_dir=tmp_path)).find("abff") is None


async def test_who_leaves_does_not_end_what_is_paid_for(tmp_path: Path) -> None:
    scene = Scene(tmp_path, message())
    first = asyncio.ensure_future(scene.asking.answer(question()))
    for _ in range(2):  # until the call is made
        await asyncio.sleep(0)
    first.cancel()
    await scene.asking.close()
    assert scene.answers.find("ab12") is not None
