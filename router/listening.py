"""The trunk's side of listening: the question, its answer, and the metered attempt between them.

Rule: trunk. The classifier edge asks through `ask_model`; what it spent is told to its request.
"""

from __future__ import annotations

import msgspec

from .attempt import Attempts
from .decide.classify import instructions, judge, question_body
from .decide.policy import Rulebook
from .decide.price import worst_pico
from .errors import RequestError
from .ports import Call, Clock, Gates, Question, Want
from .vocabulary import ANSWERS, Facts, LedgerRow, Outcome, Verdict


class Listening:
    """Asks the classifier's model once, with an intent and a settlement in the books."""

    def __init__(self, *, attempts: Attempts, gates: Gates, clock: Clock) -> None:
        self._attempts = attempts
        self._gates = gates
        self._clock = clock
        self._spent: dict[str, int] = {}
        self._rendered: tuple[str, str] = ("", "")  # the policy's hash, its instructions

    def begin(self, request_id: str) -> None:
        self._spent[request_id] = 0

    def end(self, request_id: str) -> int:
        """What listening cost this request. A verdict that comes later is still in the ledger."""
        return self._spent.pop(request_id, 0)

    async def ask_model(self, question: Question, rules: Rulebook) -> Verdict:
        """The model's verdict on one question; `unavailable` where it gave no answer in time."""
        body = question_body(question.text, self._instructions(rules), rules)
        deadline_s = rules.policy.classifier.deadline_ms / 1000
        call = Call(body=body, first_byte_s=deadline_s, idle_s=deadline_s, total_s=deadline_s)
        passed = await self._gates.enter(Want(model=rules.ids[rules.policy.classifier.model]), rules)
        if isinstance(passed, Outcome):  # it would come too late, or not at all: nobody waits for it
            return _unavailable(passed.kind.value)
        try:
            row = self._row(question, body, rules)
            running = await self._attempts.send(call, row, rules.prices, [], passed=passed)
        except RequestError:  # the books cannot be written: the request itself will say so
            return _unavailable("the ledger cannot be written")
        if question.request_id in self._spent:
            self._spent[question.request_id] += running.cost.pico
        assert running.outcome is not None, "a whole answer comes back settled"
        if running.outcome.kind not in ANSWERS:
            return _unavailable(running.outcome.kind.value)
        return judge(running.whole, rules)

    def _instructions(self, rules: Rulebook) -> str:
        """Rendered once a policy: the same bytes each time, so that they can be cached."""
        if self._rendered[0] != rules.hash:
            self._rendered = (rules.hash, instructions(rules))
        return self._rendered[1]

    def _row(self, question: Question, body: bytes, rules: Rulebook) -> LedgerRow:
        classifier, words = rules.policy.classifier, question.words
        model = rules.ids[classifier.model]
        at_ms = self._clock.now_ms()
        row = LedgerRow(
            attempt_id=self._clock.new_id("att"),
            request_id=question.request_id,
            at_ms=at_ms,
            role="classifier",
            tenant=question.tenant,
            session=words.session,
            user=words.user,
            feature=words.feature,
            workload=words.workload.value,
            tier=rules.tier_of_model.get(model),
            model=model,
            reason="names the task",
            policy_hash=rules.hash,
            prices_hash=rules.prices.hash,
        )
        worst = worst_pico(Facts(messages_bytes=len(body)), model, classifier.max_tokens, rules, at_ms)
        return msgspec.structs.replace(row, worst_pico=worst)


def _unavailable(detail: str) -> Verdict:
    return Verdict(task=None, difficulty=None, source="unavailable", detail=f"the classifier: {detail}")
