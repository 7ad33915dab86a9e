"""The classifier's edge: memory first, one question at a time, in time, and never an exception."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from router.decide.policy import Rulebook
from router.memory.verdicts import MemoryVerdicts
from router.ports import Question
from router.upstream.classifier import FAILURES_TO_OPEN, OPEN_S, HaikuClassifier
from router.vocabulary import Difficulty, Verdict, Words

from ..rulebooks import default_rules, rules_from
from ..worlds import ListEvents, ScriptedClock

SIMPLE = Verdict(task="question", difficulty=Difficulty.SIMPLE, source="classifier")
REMEMBERED = Verdict(task="question", difficulty=Difficulty.SIMPLE, source="memory")
DOWN = Verdict(task=None, difficulty=None, source="unavailable", detail="down")


def question(text: str = "x", **words: str) -> Question:
    return Question(text=text, key=text.encode(), tenant="t", request_id="r", words=Words(**words))  # type: ignore[arg-type]


class Scene:
    """A classifier whose model answers when the test lets it."""

    def __init__(self, verdict: Verdict = SIMPLE, rules: Rulebook | None = None) -> None:
        self.clock = ScriptedClock()
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.verdict = verdict
        self.rules = rules or default_rules()
        self.events = ListEvents()
        self.verdicts = MemoryVerdicts(self.clock, entries=10)
        self.classifier = HaikuClassifier(
            ask_model=self.answer, verdicts=self.verdicts, clock=self.clock, events=self.events
        )

    async def listen(self, asked: Question) -> Verdict:
        return await self.classifier.listen(asked, self.rules)

    async def answer(self, _question: Question, _rules: Rulebook) -> Verdict:
        self.asked += 1
        await self.may_answer.wait()
        return self.verdict


@pytest.mark.anyio
async def test_a_verdict_is_remembered() -> None:
    scene = Scene()
    scene.may_answer.set()
    said = [await scene.listen(question()) for _ in range(2)]
    assert (said, scene.asked) == ([SIMPLE, REMEMBERED], 1)


@pytest.mark.anyio
async def test_what_is_no_verdict_is_not_remembered() -> None:
    scene = Scene(DOWN)
    scene.may_answer.set()
    said = [await scene.listen(question()) for _ in range(2)]
    assert (said, scene.asked) == ([DOWN, DOWN], 2)


@pytest.mark.parametrize(("cache", "asked", "kept"), [("use", 1, True), ("refresh", 2, True), ("off", 2, False)])
@pytest.mark.anyio
async def test_the_caller_may_pass_the_memory_by(cache: str, asked: int, kept: bool) -> None:
    scene = Scene()
    scene.may_answer.set()
    for _ in range(2):
        await scene.listen(question(cache=cache))
    assert (scene.asked, scene.verdicts.get(b"x") is not None) == (asked, kept)


@pytest.mark.anyio
async def test_identical_questions_at_once_are_asked_once() -> None:
    scene = Scene()
    waiting = [asyncio.ensure_future(scene.listen(question())) for _ in range(50)]
    await asyncio.sleep(0)
    scene.may_answer.set()
    assert (await asyncio.gather(*waiting), scene.asked) == ([SIMPLE] * 50, 1)


@pytest.mark.anyio
async def test_a_caller_who_leaves_ends_nobody_elses_question() -> None:
    scene = Scene()
    leader = asyncio.ensure_future(scene.listen(question()))
    await asyncio.sleep(0)
    follower = asyncio.ensure_future(scene.listen(question()))
    await asyncio.sleep(0)
    leader.cancel()
    scene.may_answer.set()
    assert (await follower, scene.asked) == (SIMPLE, 1)
    with pytest.raises(asyncio.CancelledError):
        await leader


@pytest.mark.anyio
async def test_no_verdict_in_time_is_an_answer_and_a_late_one_is_remembered(tmp_path: Path) -> None:
    rules = rules_from("tiers: {a: {model: claude-haiku-5-5}}\nclassifier: {deadline_ms: 50}\n", tmp_path)
    scene = Scene(rules=rules)
    first = await scene.listen(question())
    assert (first.source, first.detail) == ("unavailable", "no verdict in time")
    scene.may_answer.set()
    for _ in range(3):  # the answer, the memory, the end of the task
        await asyncio.sleep(0)
    assert await scene.listen(question()) == REMEMBERED


@pytest.mark.anyio
async def test_after_five_failures_nobody_is_asked_for_a_while() -> None:
    scene = Scene(DOWN)
    scene.may_answer.set()
    for number in range(FAILURES_TO_OPEN + 3):
        await scene.listen(question(str(number)))
    assert scene.asked == FAILURES_TO_OPEN
    scene.clock.now_s += OPEN_S
    scene.verdict = SIMPLE
    assert await scene.listen(question("again")) == SIMPLE


@pytest.mark.anyio
async def test_closing_ends_what_is_still_being_asked() -> None:
    scene = Scene()
    waiting = asyncio.ensure_future(scene.listen(question()))
    for _ in range(2):  # until the question itself is on its way
        await asyncio.sleep(0)
    await scene.classifier.close()
    assert (scene.asked, scene.verdicts.get(b"x")) == (1, None)
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(
    ("now_said", "counted"),
    [
        (SIMPLE, "same"),
        (Verdict(task="code", difficulty=Difficulty.COMPLEX, source="classifier"), "different"),
        (DOWN, "unanswered"),
    ],
)
@pytest.mark.anyio
async def test_a_share_of_remembered_verdicts_is_asked_anew_beside_the_request(
    now_said: Verdict, counted: str, tmp_path: Path
) -> None:
    """The scripted dice show 0.5: a share of 0.6 is asked."""
    scene = Scene(rules=rules_from("tiers: {a: {model: claude-haiku-5-5}}\nclassifier: {audit_share: 0.6}", tmp_path))
    scene.verdicts.put(b"x", REMEMBERED, 60)
    scene.verdict = now_said
    assert REMEMBERED == await scene.listen(question())
    scene.may_answer.set()
    await asyncio.gather(*scene.classifier._asking.values())
    assert [("classifier_audits", counted)] == scene.events.counts


@pytest.mark.anyio
async def test_without_a_share_nothing_that_is_remembered_is_asked_anew() -> None:
    scene = Scene()
    scene.verdicts.put(b"x", REMEMBERED, 60)
    assert (REMEMBERED, 0) == (await scene.listen(question()), scene.asked)
