"""One request to the Messages API, from its bytes to the play that answers it.

Rule: it decides what is answered, cached and billed, and writes nothing to any connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from .answers import Answer, Script, answer, empty, last_text, refusal, refuse_midway
from .bill import Bill, Entry, Row, Tariff
from .cache import Plan, PromptCache
from .clock import Clock
from .diagnostics import Diagnostics, prompt
from .faults import Fault, Faults
from .limits import Headers, Limits, RateLimits
from .messages import Frame, Head, events, whole
from .models import Model, find
from .play import Play, spoil
from .prompt import Block, Json, positions, total_tokens
from .refused import Refused
from .rules import check_prompt, check_request
from .substitutes import SUBSTITUTES, substitute

DELTA_CHARACTERS_MIN = 6  # of a padded answer, so that a wished number of deltas has text enough

_decode = msgspec.json.Decoder().decode


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How slowly the stand-in answers. The default is at once."""

    latency_s: float = 0.0  # before the first byte
    deltas: int | None = None  # pieces of text in a stream; None: as many as the text needs
    delta_interval_s: float = 0.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A checked request, and who asks."""

    body: Json
    model: Model
    blocks: list[Block]
    workspace: str
    request_id: str
    batch: bool = False

    @property
    def geo(self) -> str:
        return str(self.body.get("inference_geo") or "global")

    @property
    def streamed(self) -> bool:
        return bool(self.body.get("stream"))


class Generator:
    """Everything that one request may change: cache, bill, buckets and the faults' counters."""

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        pace: Pace,
        new_id: Callable[[str], str],
        script: Script | None = None,
    ) -> None:
        self._clock = clock
        self._pace = pace
        self._script = script
        self._new_id = new_id
        self._limits = RateLimits(limits)
        self.cache = PromptCache()
        self.diagnostics = Diagnostics()
        self.bill = Bill()
        self.faults = Faults()

    def create(self, raw: bytes, headers: Mapping[str, str], workspace: str, request_id: str) -> Play:
        """POST /v1/messages."""
        order = self._order(decode(raw), headers, workspace, request_id)
        fault = self.faults.pick(order.model.id, last_text(order.body))
        if fault is not None and fault.kind in SUBSTITUTES:
            return substitute(fault, request_id)
        if fault is not None and fault.kind == "stream_error" and not order.streamed:
            return substitute(fault, request_id)
        plan = self._plan(order)
        reply = self._reply(order, fault)
        limits = self._spend(order, plan, reply)
        play = self._play(order, plan, reply, limits)
        if fault is not None:
            spoil(play, fault)
        return play

    def count(self, raw: bytes, headers: Mapping[str, str]) -> int:
        """POST /v1/messages/count_tokens."""
        body = decode(raw)
        model = check_request(body, headers, self._find, counting=True)
        return total_tokens(check_prompt(body, model))

    def batched(self, body: Any, headers: Mapping[str, str], workspace: str) -> bytes:
        """One item of a batch: the whole message, at half the price."""
        if isinstance(body, dict) and body.get("stream"):
            raise Refused("stream: not supported in a batch")
        if isinstance(body, dict) and body.get("max_tokens") == 0:
            raise Refused("max_tokens: 0 is not supported in a batch")
        checked = self._order(body, headers, workspace, self._new_id("req"))
        order = msgspec.structs.replace(checked, batch=True)
        plan = self._plan(order)
        reply = answer(order.body, order.model, script=self._script)
        head = self._head(order, plan)
        self.cache.begin(plan)
        entry = self._open(order, head, plan, reply)
        entry.produced(reply.output_tokens)
        entry.finish(reply.stop_reason, reply.thinking_tokens)
        return whole(head, reply)

    def _order(self, body: Any, headers: Mapping[str, str], workspace: str, request_id: str) -> Order:
        model = check_request(body, headers, self._find, counting=False)
        blocks = check_prompt(body, model)
        return Order(body=body, model=model, blocks=blocks, workspace=workspace, request_id=request_id)

    def _find(self, name: str) -> Model | None:
        return find(name, self._clock.now_ms())

    def _plan(self, order: Order) -> Plan:
        """What is read from the cache and what is written. Without a mark there is nothing to hash."""
        if not any(block.mark for block in order.blocks):
            return Plan(total=total_tokens(order.blocks))
        row = positions(order.blocks, order.body, order.model)
        return self.cache.plan(_namespace(order), row, order.model.cache_minimum, self._clock.monotonic())

    def _reply(self, order: Order, fault: Fault | None) -> Answer:
        kind = fault.kind if fault is not None else None
        if fault is not None and kind == "empty":
            return empty()
        if fault is not None and kind == "refusal" and fault.after_events is None:
            return refusal(fault.error_code or "bio")
        pad = (self._pace.deltas or 0) * DELTA_CHARACTERS_MIN if order.streamed else 0
        reply = answer(order.body, order.model, pad, self._script)
        if fault is not None and kind == "refusal":
            return refuse_midway(reply, order.model, fault.error_code or "bio")
        if kind == "max_tokens" and reply.output_tokens > 1:
            spoken = reply.output_tokens - reply.thinking_tokens
            fewer = order.body | {"max_tokens": reply.thinking_tokens + max(1, spoken // 2)}
            return answer(fewer, order.model, pad, self._script)
        return reply

    def _spend(self, order: Order, plan: Plan, reply: Answer) -> Headers:
        now = (self._clock.monotonic(), self._clock.now_ms())
        family = order.model.bucket or order.model.id
        return self._limits.spend(order.workspace, family, (plan.total - plan.read, reply.output_tokens), now)

    def _head(self, order: Order, plan: Plan) -> Head:
        message_id = self._new_id("msg")
        return Head(
            message_id,
            order.model.id,
            plan,
            order.geo,
            order.body.get("speed"),
            "batch" if order.batch else "standard",
            self._diagnosed(order, message_id),
        )

    def _diagnosed(self, order: Order, message_id: str) -> tuple[Json | None, ...]:
        asked = order.body.get("diagnostics")
        if not isinstance(asked, dict):
            return ()
        row = positions(order.blocks, order.body, order.model)
        levels = [block.level for block in order.blocks]
        now = prompt(_namespace(order), order.workspace, levels, row)
        found = self.diagnostics.compare(asked.get("previous_message_id"), now)
        self.diagnostics.keep(message_id, now)
        return (found,)

    def _play(self, order: Order, plan: Plan, reply: Answer, limits: Headers) -> Play:
        head = self._head(order, plan)
        pace = self._pace
        if order.streamed:
            frames = events(head, reply, order.model, pace.deltas, pace.delta_interval_s)
        else:
            frames = [Frame(whole(head, reply), reply.output_tokens)]
        entry = self._open(order, head, plan, reply) if reply.billed else None

        def begin() -> None:
            self.cache.begin(plan)
            if entry is not None and not order.streamed:  # a plain answer is made before it is sent
                entry.produced(reply.output_tokens)

        return Play(
            headers=limits,
            frames=frames,
            stream=order.streamed,
            head_delay_s=pace.latency_s,
            begin=begin,
            entry=entry,
            stop_reason=reply.stop_reason,
            thinking_tokens=reply.thinking_tokens,
        )

    def _open(self, order: Order, head: Head, plan: Plan, reply: Answer) -> Entry:
        metadata = order.body.get("metadata")
        row = Row(
            request_id=order.request_id,
            message_id=head.message_id,
            model=order.model.id,
            input_tokens=plan.uncached,
            cache_read_input_tokens=plan.read,
            cache_write_5m_tokens=plan.write_5m,
            cache_write_1h_tokens=plan.write_1h,
            metadata_user_id=metadata.get("user_id") if isinstance(metadata, dict) else None,
            stream=order.streamed,
            batch=order.batch,
        )
        return self.bill.open(row, Tariff(order.model, plan, order.geo, order.body.get("speed"), order.batch))


def _namespace(order: Order) -> str:
    return f"{order.workspace} {order.model.id} {order.body.get('speed') or 'standard'}"


def decode(raw: bytes) -> Any:
    """A body as JSON, or the refusal of one that is none."""
    try:
        return _decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Refused("The request body is not valid JSON") from error
