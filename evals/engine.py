"""Asks and grades many cases at once, on inspect_ai: its concurrency, its logs, its viewer.

Rule: inspect_ai drives and shows; what is kept, counted and decided from are our own records. What it would do to the
process or outside the data directory is shut off in quieting.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
from inspect_ai import Task, eval_async
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, read_eval_log_async
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    get_model,
    modelapi,
)
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer
from inspect_ai.solver import TaskState, generate
from inspect_ai.tool import ToolChoice, ToolInfo

from .asking import Asking, CallFailed, Refused
from .graders import grade_safely
from .ports import Grader, Halted
from .question import Question
from .quieting import quiet
from .report.words import dollars
from .spending import CapReached, for_option
from .vocabulary import Answered, Case, Suite, Tried

STOPS: dict[str | None, StopReason] = {
    "max_tokens": "max_tokens",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
CHARACTERS_PER_TOKEN = 4

Fetch = Callable[[Suite, Sequence[Question]], Awaitable[None]]


class Told(Protocol):
    """Who shows how far it is."""

    def case(self, *, known: bool) -> None: ...


class NotAsked(Halted):
    """Another call came to nothing, so no new one is begun."""


class Look:
    """Cases of one suite on one tier, while they are asked and graded."""

    def __init__(self, suite: Suite, asked: Sequence[tuple[Case, Question]], asking: Asking, grader: Grader) -> None:
        self.suite = suite
        self.cases = {case.id: case for case, _ in asked}
        self.questions = questions = {case.id: question for case, question in asked}
        self.by_prompt = {question.prompt: question for question in questions.values()}  # equal ones have one answer
        self.tried: dict[str, Tried] = {}
        self.troubles: list[Halted] = []
        self.answers: dict[str, Answered] = {}  # by the question's key
        self._asking = asking
        self._grader = grader

    async def answer(self, question: Question) -> Answered:
        """Raises Halted, and remembers why."""
        if self.troubles:
            raise NotAsked("not asked: an earlier call came to nothing")
        try:
            answered = await self._asking.answer(question)
        except Halted as trouble:
            self.troubles.append(trouble)
            raise
        self.answers[question.key] = answered
        return answered

    async def grade(self, case_id: str, epoch: int) -> Tried:
        question = self.questions[case_id]
        answered = self.answers[question.key]
        try:
            grade = await grade_safely(self._grader, self.cases[case_id], answered)
        except Halted as trouble:  # a judge's call
            self.troubles.append(trouble)
            raise
        tried = Tried(case=case_id, tier=question.tier, epoch=epoch, answer=answered, grade=grade)
        self.tried[case_id] = tried
        return tried

    def halted(self, tier: str) -> Halted:
        """What came in the way, in one sentence."""
        done = f"{len(self.tried)} of {len(self.questions)} cases of {self.suite.name} on {tier}"
        caps = [trouble for trouble in self.troubles if isinstance(trouble, CapReached)]
        if caps:
            more = for_option(2 * self._asking.purse_of(self.suite.name).cap_pico)
            return CapReached(f"{caps[0]}, after {done}; nothing is lost: --max-usd {more} goes on")
        count = len(self.troubles)
        calls = "1 call" if count == 1 else f"{count} calls"
        worst = max(self.troubles, key=_reach)
        kind = type(worst) if isinstance(worst, CallFailed) else Halted
        return kind(f"{calls} failed, after {done} ({worst})")


def _reach(trouble: Halted) -> int:
    """How much it stops: this suite, or whatever else would be asked."""
    return 0 if isinstance(trouble, Refused) or not isinstance(trouble, CallFailed) else 1


class InspectEngine:
    """Implements ports.Engine. `fetch`, where it is given, gets the answers of a batch first."""

    def __init__(self, *, asking: Asking, grader_of: Callable[[Suite], Grader], logs: Path, concurrency: int,
                 told: Told, fetch: Fetch | None = None) -> None:  # fmt: skip
        self._asking = asking
        self._grader_of = grader_of
        self._logs = logs
        self._concurrency = concurrency
        self._told = told
        self._fetch = fetch
        self._one_at_a_time = asyncio.Lock()  # inspect_ai runs one evaluation in a process

    async def run(self, suite: Suite, tier: str, cases: Sequence[Case], epoch: int = 0) -> list[Tried]:
        """In the order of the cases. Raises Halted; what was answered by then costs nothing the next time."""
        if not cases:
            return []
        asked = [(case, self._asking.questions.of_case(suite, tier, case, epoch)) for case in cases]
        unknown = {one.key for _, one in asked if self._asking.answers.find(one.key) is None}
        if self._fetch is not None and unknown:
            await self._fetch(suite, [one for _, one in asked if one.key in unknown])
        look = Look(suite, asked, self._asking, self._grader_of(suite))
        log: EvalLog | None = None
        if unknown:
            async with self._one_at_a_time:
                log = await self._evaluated(look, (tier, epoch), unknown)
        else:
            await self._graded_again(look, epoch)
        if look.troubles:
            raise look.halted(tier)
        missing = [case.id for case in cases if case.id not in look.tried]
        if missing:
            raise Halted(f"{suite.name} on {tier}: case {missing[0]} came to no grade: {await _why(log)}")
        return [look.tried[case.id] for case in cases]

    async def _graded_again(self, look: Look, epoch: int) -> None:
        """Every answer was known before: there is nothing to log that an earlier log does not hold."""
        room = asyncio.Semaphore(self._concurrency)

        async def one(case_id: str) -> None:
            async with room:
                await look.answer(look.questions[case_id])
                await look.grade(case_id, epoch)
            self._told.case(known=True)

        ends = await asyncio.gather(*map(one, look.cases), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, Halted):
                raise end

    async def _evaluated(self, look: Look, place: tuple[str, int], unknown: set[str]) -> EvalLog:
        tier, epoch = place
        suite = look.suite
        samples = [_sample(look, case, unknown) for case in look.cases.values()]
        task = Task(
            dataset=MemoryDataset(samples, name=suite.name),
            solver=generate(),
            scorer=graded(look, epoch, self._told, unknown),
            name=f"{suite.name}-{tier}",
            metadata={"suite": suite.name, "suite_hash": suite.hash, "tier": tier, "epoch": epoch},
        )
        with quiet(self._logs):
            logs = await eval_async(
                task,
                model=get_model(f"tierwise/{tier}", look=look, memoize=False),
                log_dir=str(self._logs),
                log_level="warning",
                log_realtime=False,  # else a database of its own, outside the data directory
                log_model_api=False,
                fail_on_error=False,  # the others in flight end
                max_samples=self._concurrency,
                max_connections=self._concurrency,
                score_display=False,
                ctl_server=False,
                acp_server=False,
            )
        if not logs or logs[0].status == "cancelled":  # it swallows a Ctrl-C
            raise asyncio.CancelledError
        return logs[0]


@modelapi("tierwise")
class TierwiseModel(ModelAPI):
    """A tier, for inspect_ai: asks our own asker, which asks as production would."""

    def __init__(self, model_name: str, base_url: str | None = None, api_key: str | None = None,
                 config: GenerateConfig = GenerateConfig(), look: Look | None = None, **_given: Any) -> None:  # noqa: B008  # fmt: skip
        super().__init__(model_name, base_url, api_key, [], config)
        assert look is not None, "a tier is asked by an engine"
        self._look = look

    async def generate(
        self,
        input: list[ChatMessage],  # noqa: A002 - inspect_ai's own name
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        answered = await self._look.answer(self._look.by_prompt[input[-1].text])
        usage = answered.usage
        message = ChatMessageAssistant(content=answered.text, model=answered.model, source="generate")
        return ModelOutput(
            model=answered.model,
            choices=[ChatCompletionChoice(message=message, stop_reason=STOPS.get(answered.stop_reason, "stop"))],
            usage=ModelUsage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                total_tokens=usage.prompt_tokens + usage.output_tokens,
                input_tokens_cache_read=usage.cache_read_tokens,
                input_tokens_cache_write=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
                reasoning_tokens=usage.thinking_tokens,
            ),
        )

    async def count_text_tokens(self, text: str) -> int:
        """By arithmetic: the engine's own way would fetch a vocabulary from the network."""
        return len(text) // CHARACTERS_PER_TOKEN + 1

    def max_connections(self) -> int:
        return 1000  # what limits is max_samples


@scorer(metrics=[accuracy()])
def graded(look: Look, epoch: int, told: Told, unknown: set[str]) -> Scorer:
    """The suite's own grader; what it says is kept in the look and shown in the log."""

    async def score(state: TaskState, target: Target) -> Score:
        tried = await look.grade(str(state.sample_id), epoch)
        answered = tried.answer
        known = answered.key not in unknown
        told.case(known=known)
        return Score(
            value=CORRECT if tried.grade.passed else INCORRECT,
            answer=answered.text,
            explanation=tried.grade.why or None,
            metadata={
                "score": tried.grade.score,
                "tier": tried.tier,
                "model": answered.model,
                "key": answered.key,
                "cost_usd": dollars(answered.cost_pico),
                "known_before": known,
                "latency_ms": answered.latency_ms,
                "batch": answered.batch,
            },
        )

    return score


def _sample(look: Look, case: Case, unknown: set[str]) -> Sample:
    question = look.questions[case.id]
    system: list[ChatMessage] = [ChatMessageSystem(content=look.suite.system)] if look.suite.system else []
    expected = case.expected if isinstance(case.expected, str) else msgspec.json.encode(case.expected).decode()
    return Sample(
        id=case.id,
        input=[*system, ChatMessageUser(content=question.prompt)],
        target=expected,
        metadata={"cluster": case.cluster, "tags": list(case.tags), "known_before": question.key not in unknown},
    )


async def _why(log: EvalLog | None) -> str:
    """In the engine's words, which are about its own trouble."""
    if log is None:
        return "its grader ended without one"
    # Not `log.samples`: that makes asyncio another one, for the rest of the process.
    whole = await read_eval_log_async(log.location)
    errors = [sample.error.message for sample in whole.samples or [] if sample.error is not None]
    return (errors or ([log.error.message] if log.error is not None else ["it does not say why"]))[0]
