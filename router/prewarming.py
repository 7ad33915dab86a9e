"""Prefixes that the policy names are written before anybody needs them, and kept warm while that pays.

Rule: trunk. Each call is an attempt like any other: in the ledger first, with its role, and never retried here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from .attempt import Attempts
from .caching import Caches
from .decide.breakpoints import TOKENS_PER_BYTE
from .decide.policy import Prewarm, Rulebook
from .decide.price import price_at, worst_pico
from .decide.reuse import LIFETIME_S, terms, worth_keeping
from .decide.shape import shape
from .errors import RequestError
from .ports import Call, Clock, Events
from .vocabulary import ANSWERS, Ask, Choice, Edit, LedgerRow, Mark, OutcomeKind, Path, Spot
from .wire.ask import read_messages
from .wire.edit import apply
from .wire.marking import mark_edits
from .wire.prefix import read_path

ROLE = TENANT = "prewarm"
EARLY_S = 20.0  # before an entry ends, it is written anew
LOOK_EVERY_S = 5.0
CALL_S = 60.0
HOUR_S = 3600.0
RETRY_S = 60.0
UNWANTED = ("stream", "tool_choice")  # the API takes none of them beside `max_tokens: 0`


class Kept(msgspec.Struct):
    """One named prefix, as it stands."""

    digest: int
    model: str
    until_s: float = 0.0  # its entry, as far as is known
    tried: bool = False
    wait_s: float = 0.0  # after a failure, before it is tried again
    retry_s: float | None = None
    uses: deque[float] = msgspec.field(default_factory=lambda: deque(maxlen=1_000))


class Prewarming:
    """Of one process, beside the requests."""

    def __init__(
        self, *, rules: Callable[[], Rulebook], attempts: Attempts, caches: Caches, told: tuple[Events, Clock]
    ) -> None:
        self._rules = rules
        self._attempts = attempts
        self._events, self._clock = told
        self._kept: dict[tuple[str, bytes, str], Kept] = {}
        caches.on_sent = self._used

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Writes what is due."""
        rules = self._rules()
        named = {(name, rules.prewarm[name], part.tier): part for name, part in rules.policy.cache.prewarm.items()}
        self._kept = {key: kept for key, kept in self._kept.items() if key in named}
        for key, part in named.items():
            if key not in self._kept or self._is_due(self._kept[key], part, rules):
                await self._write(key, part, rules)

    def _is_due(self, kept: Kept, part: Prewarm, rules: Rulebook) -> bool:
        now_s = self._clock.monotonic()
        if kept.retry_s is not None:
            return now_s >= kept.retry_s
        if now_s < kept.until_s - EARLY_S or (kept.tried and now_s > kept.until_s + EARLY_S):
            return False  # warm; or gone for so long that its next user writes it
        uses = sum(1 for at_s in kept.uses if now_s - at_s < HOUR_S)
        price = price_at(kept.model, rules.prices, self._clock.now_ms(), [])
        assert price is not None, "the loader lets no model in without a price"
        return worth_keeping(uses / HOUR_S, part.ttl, terms(price.rates, part.ttl))

    async def _write(self, key: tuple[str, bytes, str], part: Prewarm, rules: Rulebook) -> None:
        model = rules.ids[rules.policy.tiers[part.tier].model]
        ask = read_messages(key[1], {})
        path = read_path(ask.fields, ask.facts)
        spots = [spot for spot in path.spots if spot.turn < 0 and spot.markable] if path is not None else []
        if path is None or not spots:
            return
        kept = self._kept.setdefault(key, Kept(digest=spots[-1].digest, model=model))
        kept.tried, began_s = True, self._clock.monotonic()
        try:
            body = self._body(ask, part, model, spots[-1], rules)
            row = self._row(ask, part, model, rules)
            call = Call(body=body, first_byte_s=CALL_S, idle_s=CALL_S, total_s=CALL_S)
            running = await self._attempts.send(call, row, rules.prices, [])
        except RequestError as refused:
            self._later(kept)
            self._events.say("prewarm", name=key[0], model=model, outcome=refused.code)
            return
        kind = running.outcome.kind if running.outcome is not None else OutcomeKind.BAD_ANSWER
        if kind in ANSWERS:
            kept.until_s, kept.retry_s, kept.wait_s = began_s + LIFETIME_S[part.ttl], None, 0.0
        else:
            self._later(kept)
        self._events.say("prewarm", name=key[0], model=model, outcome=kind.value, cost_pico=running.cost.pico)

    def _later(self, kept: Kept) -> None:
        """Tried again after a minute, then after two, after an hour at most."""
        kept.wait_s = min(HOUR_S, max(RETRY_S, 2 * kept.wait_s))
        kept.retry_s = self._clock.monotonic() + kept.wait_s

    def _body(self, ask: Ask, part: Prewarm, model: str, spot: Spot, rules: Rulebook) -> bytes:
        choice = Choice(tier=part.tier, model=model, task=rules.default_task, reason="")
        edits = [edit for edit in shape(ask, choice, rules) if edit.key not in ("max_tokens", "stop_sequences")]
        mark = Mark(
            index=spot.index,
            turn=spot.turn,
            block=spot.block,
            ttl=part.ttl,
            tokens=round(spot.text_bytes * TOKENS_PER_BYTE),
            chance_5m=1.0,
            chance_1h=1.0,
            why="the policy names it",
        )
        unwanted = [Edit(key=name, value=None, why="") for name in UNWANTED]
        nothing = Edit(key="max_tokens", value=msgspec.Raw(b"0"), why="nothing is to be answered")
        return apply(ask, (*edits, *mark_edits(ask.fields, (mark,)), *unwanted, nothing))

    def _row(self, ask: Ask, part: Prewarm, model: str, rules: Rulebook) -> LedgerRow:
        at_ms = self._clock.now_ms()
        return LedgerRow(
            attempt_id=self._clock.new_id("att"),
            request_id=self._clock.new_id("req"),
            at_ms=at_ms,
            role=ROLE,
            tenant=TENANT,
            feature=part.feature or None,
            tier=part.tier,
            model=model,
            reason="kept warm",
            policy_hash=rules.hash,
            prices_hash=rules.prices.hash,
            prefix=ask.facts.prefix_fingerprint,
            worst_pico=worst_pico(ask.facts, model, 0, rules, at_ms, part.ttl == "1h"),
        )

    def _used(self, model: str, path: Path) -> None:
        """A request was sent: did it use what is kept?"""
        for key, kept in self._kept.items():
            if kept.model == model and any(spot.digest == kept.digest for spot in path.spots if spot.turn < 0):
                part = self._rules().policy.cache.prewarm.get(key[0])
                now_s = self._clock.monotonic()
                kept.uses.append(now_s)
                kept.until_s = now_s + LIFETIME_S[part.ttl if part is not None else "5m"]
