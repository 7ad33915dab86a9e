"""What is asked: a case on a tier, as production would ask it, and the key that its answer is found by.

Rule: nothing is sent from here. The key is a digest of the body that would be sent, without cache marks: the model and
every parameter are in it, so two policies that would ask the same share the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec

from router.decide.policy import Rulebook
from router.errors import RequestError
from router.pipeline import Pipeline
from router.ports import Clock
from router.sending import Ready
from router.vocabulary import Ask, Caller
from router.vocabulary.noun import Noun
from router.wire.ask import read_complete

from .answers import PAST_KEY
from .ports import Halted
from .vocabulary import Case, Suite

TENANT = "evals"
KEY_BYTES = 20  # in hexadecimal short enough to be the custom_id of a batch's item
PAST = "past-requests"  # in the place of a suite's name
PLAIN_MAX_TOKENS = 4096  # of a grader's own question; thinking counts as output
_KIND = b"tierwise answer 1"

Render = Callable[[Suite, Case], str]


class NotTaken(Halted):
    """The tier does not take this request, whoever asks: it was not sent, and cost nothing."""


class Question(Noun, frozen=True, kw_only=True):
    """One call that may be made, or whose answer may be known."""

    key: str
    suite: str
    tier: str
    case: str = ""  # "": a grader's own
    task: str = ""
    prompt: str = ""
    ask: Ask
    ready: Ready
    worst_pico: int  # of the whole request, continuations included


class Questions:
    """Makes them. `place` tells apart who answers, and how often a suite was begun anew."""

    def __init__(self, *, pipeline: Pipeline, render: Render, place: tuple[str, Callable[[str], int]], rules: Rulebook,
                 clock: Clock) -> None:  # fmt: skip
        self._pipeline = pipeline
        self._render = render
        self.upstream, self._fresh = place
        self._rules = rules
        self._clock = clock

    def of_case(self, suite: Suite, tier: str, case: Case, epoch: int = 0) -> Question:
        """Raises NotTaken where the policy would not send it."""
        prompt = self._render(suite, case)
        fields = {"model": tier, **_system(suite.system), "prompt": prompt}
        if suite.max_tokens is not None:
            fields["max_tokens"] = suite.max_tokens
        words = {"task": suite.task, "feature": f"eval:{suite.name}"}
        made = self._made(suite.name, (tier, case.id, epoch), fields, words)
        return msgspec.structs.replace(made, prompt=prompt)

    def again(self, question: Question, epoch: int) -> Question:
        """The same of a case, asked for the `epoch`-th time."""
        key = self._key(question.ready.body, epoch, self._fresh(question.suite))
        return msgspec.structs.replace(question, key=key)

    def plain(self, suite: str, tier: str, texts: tuple[str, str], schema: dict[str, object] | None) -> Question:
        """A grader's own; `texts` are the system text and the prompt."""
        system, prompt = texts
        turns = [{"role": "user", "content": prompt}]
        fields = {"model": tier, **_system(system), "messages": turns, "max_tokens": PLAIN_MAX_TOKENS}
        if schema is not None:
            fields["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return self._made(suite, (tier, "", 0), fields, {"feature": f"eval-judge:{suite}"})

    def of_request(self, tier: str, task: str, body: Mapping[str, object]) -> Question:
        """A past request's Messages body, on another tier. Raises NotTaken."""
        fields = {name: value for name, value in body.items() if name not in ("stream", "router")} | {"model": tier}
        made = self._made(PAST, (tier, "", 0), fields, {"task": task, "feature": f"eval:{PAST}"})
        return msgspec.structs.replace(made, key=PAST_KEY + made.key)

    def caller(self) -> Caller:
        return Caller(tenant=TENANT, request_id=self._clock.new_id("req"))

    def _made(
        self, suite: str, place: tuple[str, str, int], fields: dict[str, object], words: dict[str, str]
    ) -> Question:
        tier, case, epoch = place
        # Nobody waits, nothing stands in for the answer, and no other tier gives it.
        router = {**words, "workload": "background", "cache": "off", "fallback": "off"}
        try:
            ask = read_complete(msgspec.json.encode({**fields, "router": router}), {})
            ready = self._pipeline.would_send(ask, self.caller())
        except RequestError as error:
            raise NotTaken(f"{_where(suite, case)} cannot be asked of {tier}: {error.message}") from None
        if ready.tier != tier:
            other = ready.tier or ready.model
            raise NotTaken(f"{_where(suite, case)}: the policy would ask {other}, not {tier}")
        # A continuation sends what was said so far once more: twice its worst case is never too little.
        task = self._rules.tasks[words.get("task", self._rules.default_task)]
        return Question(
            key=self._key(ready.body, epoch, self._fresh(suite)),
            suite=suite,
            tier=tier,
            case=case,
            task=words.get("task", ""),
            ask=ask,
            ready=ready,
            worst_pico=ready.worst_pico * (1 + 2 * task.continuations),
        )

    def _key(self, body: bytes, epoch: int, fresh: int) -> str:
        digest = blake2b(digest_size=KEY_BYTES)
        for part in (_KIND, self.upstream.encode(), body, b"%d" % epoch, b"%d" % fresh):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.hexdigest()


def _where(suite: str, case: str) -> str:
    if suite == PAST:
        return "a past request"
    return f"{suite}, case {case}" if case else f"{suite}, its grader's own question"


def _system(text: str) -> dict[str, object]:
    return {"system": text} if text else {}
