"""The API, behind ports.Upstream: its models, its bad days, and the bill that it keeps.

Rule: what it says is bytes, read by the product's own reader (upstream/answer.py) and judged by its own table
(upstream/faults.py); nothing here knows what the router makes of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import cast

import msgspec

from router.ports import Answer, Call
from router.upstream.answer import ClaudeAnswer, Stream, failed
from router.upstream.body import Body
from router.upstream.faults import outcome_of_response
from router.upstream.whole import judged
from router.vocabulary import Billed, LedgerRow, Outcome, OutcomeKind

from . import bodies
from .models import BROWNOUT, Model, Timing
from .streams import EVENT_BYTES_MAX, SimBody, stream_of
from .truth import Truth
from .weather import IN_A_BODY, IN_THE_ANSWER, REFUSALS, Weather

K = OutcomeKind
JSON = {"content-type": "application/json"}
STOPS = {"refused": "refusal", "cut_at_max_tokens": "max_tokens", "context_exceeded": "model_context_window_exceeded"}
TASKS, DIFFICULTIES = ("general", "code", "classify"), ("simple", "complex", "edge_case")


class _Asked(msgspec.Struct):
    model: str
    max_tokens: int = 1024


_ASKED = msgspec.json.Decoder(_Asked)


class Plan(msgspec.Struct):
    """The answer that a call gets, if it gets one."""

    text: str
    tokens: int
    stop_reason: str


class SimUpstream:
    """One attempt, no retries. It never raises for what the network does."""

    def __init__(self, weather: Weather, models: Mapping[str, Model], dice: Random, reached: Counter[str]) -> None:
        self.calls = 0
        self.intent_of: Callable[[str], LedgerRow | None] = lambda _model: None
        self.sent: Callable[[Truth, Model], None] = lambda _truth, _model: None
        self._weather = weather
        self._models = models
        self._dice = dice
        self._reached = reached

    async def send(self, call: Call) -> Answer:
        asked = _ASKED.decode(call.body)
        intent = self.intent_of(asked.model)
        assert intent is not None, "the intent is in the books before a byte leaves"
        model = self._models[asked.model]
        self.calls += 1
        now_s = asyncio.get_running_loop().time()
        truth = Truth(number=self.calls, intent=intent, at_s=now_s, model=asked.model)
        self.sent(truth, model)
        spell = self._weather.strikes(asked.model, now_s)
        truth.fault = "" if spell is None else spell.kind
        if spell is not None:
            self._reached[f"fault:{spell.kind}"] += 1
        await asyncio.sleep(0.02 + 0.06 * self._dice.random())
        refused = self._refusal(truth, model, 0.0 if spell is None else spell.to_s)
        if refused is not None:
            return refused
        lost = await self._lost(call, asked, truth)
        return lost if lost is not None else await self._answer(call, asked, truth, model)

    # ---- refused: nothing is generated, nothing is billed

    def _refusal(self, truth: Truth, model: Model, spell_ends_s: float) -> Answer | None:
        now_s = asyncio.get_running_loop().time()
        fault = truth.fault
        if fault in REFUSALS:
            status, error_type, code, wait_s = REFUSALS[fault]
            return self._refused(truth, model, (status, error_type, code), wait_s)
        if fault == "storm":
            wait_s = min(1 + int(self._dice.random() * 30), max(1, int(spell_ends_s - now_s)))
            return self._refused(truth, model, (429, "rate_limit_error", ""), wait_s)
        wait_s = model.refuses_for_s(now_s)
        if not wait_s:
            return None
        self._reached["fault:rate"] += 1
        return self._refused(truth, model, (429, "rate_limit_error", ""), wait_s)

    def _refused(self, truth: Truth, model: Model, error: tuple[int, str, str], wait_s: int) -> Answer:
        status, error_type, code = error
        headers = {**JSON, **model.headers(), "request-id": f"up_{truth.number}"}
        if wait_s:
            headers["retry-after"] = str(wait_s)
            truth.told_until_s = asyncio.get_running_loop().time() + wait_s
            if truth.told_until_s > model.told_until_s:
                model.told_until_s, model.told_by = truth.told_until_s, truth.fault
        body = bodies.error(error_type, code) if error_type else b""
        return failed(outcome_of_response(status, headers, body), headers, body)

    # ---- lost: nobody can know whether a model began with it

    async def _lost(self, call: Call, asked: _Asked, truth: Truth) -> Answer | None:
        fault, dice = truth.fault, self._dice
        if fault == "connect_failed":
            await asyncio.sleep(min(call.first_byte_s, dice.random()))
            return failed(Outcome(kind=K.CONNECT_FAILED, detail="the connection was refused"))
        if fault not in ("lost", "silent"):
            return None
        if dice.random() < 0.5:
            self._bill(call, truth, self._plan(truth, asked.max_tokens))
        if fault == "lost":
            await asyncio.sleep(min(call.first_byte_s, 3 * dice.random()))
            return failed(Outcome(kind=K.CONNECTION_LOST, billed=Billed.UNKNOWN, detail="the connection was lost"))
        await asyncio.sleep(call.first_byte_s)
        return failed(Outcome(kind=K.TIMED_OUT, billed=Billed.UNKNOWN, detail="no answer began in time"))

    # ---- answered

    async def _answer(self, call: Call, asked: _Asked, truth: Truth, model: Model) -> Answer:
        plan = self._plan(truth, asked.max_tokens)
        now_s = asyncio.get_running_loop().time()
        browned_out = any(spell.kind == "brownout" for spell in self._weather.over(model.name, now_s))
        slower = 10.0 if truth.fault == "slow" else BROWNOUT if browned_out else 1.0
        timing = model.takes(now_s, plan.tokens, slower)
        if timing is None:
            self._reached["fault:shed"] += 1
            return self._refused(truth, model, (529, "overloaded_error", ""), 0)
        self._bill(call, truth, plan)
        headers = {**model.headers(), "request-id": f"up_{truth.number}"}
        opened = bodies.opening(f"msg_{truth.number}", truth.model, truth.usage)
        if call.stream:
            return await self._streamed(call, truth, plan, timing, (opened, headers))
        takes_s = timing.first_s + plan.tokens * timing.token_s
        if takes_s > call.first_byte_s:
            await asyncio.sleep(call.first_byte_s)
            return failed(Outcome(kind=K.TIMED_OUT, billed=Billed.UNKNOWN, detail="no answer began in time"))
        await asyncio.sleep(takes_s)
        truth.seen_output = plan.tokens
        body = bodies.message(opened, plan.text, plan.stop_reason, plan.tokens)
        if truth.fault in IN_A_BODY:
            body = bodies.wrong_body(truth.fault, body)
            truth.billed = truth.fault != "error_in_200"
        return judged(call, {**JSON, **headers}, body)

    async def _streamed(
        self,
        call: Call,
        truth: Truth,
        plan: Plan,
        timing: Timing,
        told: tuple[Mapping[str, object], Mapping[str, str]],
    ) -> Answer:
        opened, headers = told
        if timing.first_s > call.first_byte_s:
            await asyncio.sleep(call.first_byte_s)
            return failed(Outcome(kind=K.TIMED_OUT, billed=Billed.UNKNOWN, detail="no answer began in time"))
        await asyncio.sleep(timing.first_s)
        chunks, end = stream_of(opened, (plan.text, plan.tokens, plan.stop_reason), timing.token_s, truth, self._dice)
        body = cast(Body, SimBody(chunks, end, truth))
        stream = Stream(body, call.idle_s, EVENT_BYTES_MAX)
        return ClaudeAnswer(status=200, headers={"content-type": "text/event-stream", **headers}, stream=stream)

    def _plan(self, truth: Truth, max_tokens: int) -> Plan:
        if truth.intent.role == "classifier":
            return self._verdict(truth)
        fault = truth.fault if truth.fault in IN_THE_ANSWER else ""
        tokens = min(max_tokens, 2000, 1 + int(self._dice.lognormvariate(4.3, 1.0)))
        if tokens == max_tokens:
            fault = "cut_at_max_tokens"
        if fault == "empty":
            return Plan("", 2, "end_turn")
        return Plan(bodies.text_of(truth.number, tokens), tokens, STOPS.get(fault, "end_turn"))

    def _verdict(self, truth: Truth) -> Plan:
        task, difficulty = self._dice.choice(TASKS), self._dice.choice(DIFFICULTIES)
        said = {"task": "nonsense" if truth.fault == "bad_verdict" else task, "difficulty": difficulty}
        stop = STOPS.get(truth.fault, "end_turn")
        return Plan(msgspec.json.encode(said).decode(), 20, stop)

    def _bill(self, call: Call, truth: Truth, plan: Plan) -> None:
        """A model begins: its prompt and its whole answer are on the bill."""
        truth.billed, truth.output, truth.text_tokens = True, plan.tokens, plan.tokens if plan.text else 0
        truth.input = 20 + len(call.body) // 4
        if b'"cache_control"' not in call.body:
            return
        cached, truth.input = truth.input * 4 // 5, truth.input - truth.input * 4 // 5
        if self._dice.random() < 0.5:
            truth.read = cached
        else:
            truth.write_5m = cached
