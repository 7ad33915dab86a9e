"""`python -m tests.bench.cache`: what the router's cache marks cost, against four other ways of marking.

Rule: the whole trunk decides, in virtual time; the stand-in's own accounts say what is billed. Only input counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

import msgspec

from router.decide.breakpoints import lay
from router.decide.policy import CacheRules, Rates
from router.ports import Call
from router.vocabulary import Ask, Caller, LedgerRow, Scope
from router.wire.ask import read_messages
from router.wire.prefix import read_path

from ..rulebooks import default_rules
from ..worlds import ScriptedAnswer, World
from .accounting import Account, billed, least
from .traffic import SHAPES, Sent, traffic

Json = dict[str, Any]


class AccountedUpstream:
    """Answers at once, and bills as the stand-in does. Implements ports.Upstream."""

    def __init__(self) -> None:
        self.account = Account()
        self.world: World | None = None
        self.bodies: list[bytes] = []

    async def send(self, call: Call) -> ScriptedAnswer:
        assert self.world is not None
        body = msgspec.json.decode(call.body)
        plan = self.account.take(body, self.world.clock.now_s)
        usage = {
            "input_tokens": plan.uncached,
            "output_tokens": 50,
            "cache_creation_input_tokens": plan.write_5m + plan.write_1h,
            "cache_read_input_tokens": plan.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": plan.write_5m,
                "ephemeral_1h_input_tokens": plan.write_1h,
            },
        }
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "usage": usage}
        content = [{"type": "text", "text": "Yes."}]
        whole = {**message, "content": content, "stop_reason": "end_turn", "stop_sequence": None}
        return ScriptedAnswer(body=msgspec.json.encode(whole))


def asked(sent: Sent) -> Ask:
    headers = {"x-router-feature": sent.feature}
    return read_messages(msgspec.json.encode(sent.body), headers)


async def routed(requests: list[Sent]) -> tuple[Account, list[LedgerRow]]:
    """The requests through the whole trunk, each at its time."""
    upstream = AccountedUpstream()
    world = World(upstream=upstream)
    upstream.world = world
    began_s = world.clock.now_s
    for number, sent in enumerate(requests):
        world.clock.now_s = began_s + sent.at_s
        served = await world.pipeline.handle(asked(sent), Caller(tenant="t", request_id=f"r{number}"))
        assert served.status == 200
    return upstream.account, world.ledger.rows


def by_hand(requests: list[Sent], mark: Json | None) -> Account:
    """Without the router: with the API's own automatic mark on every request, or with none."""
    account = Account()
    for sent in requests:
        account.take(sent.body if mark is None else {**sent.body, "cache_control": mark}, sent.at_s)
    return account


def measured(shape: str, size: int | None = None, seed: int = 7) -> Json:
    requests = traffic(shape, seed, size)
    rates = default_rules().prices.by_model[requests[0].body["model"]][0].rates
    account, _ = asyncio.run(routed(requests))
    ours = billed(account.plans, rates)
    none = billed(by_hand(requests, None).plans, rates)
    automatic = billed(by_hand(requests, {"type": "ephemeral"}).plans, rates)
    bound = least([(sent.at_s, sent.body) for sent in requests], rates)
    return {
        "requests": len(requests),
        "input_tokens": sum(plan.total for plan in account.plans),
        "billed_as_plain_tokens": round(ours),
        "ratio_to_no_caching": round(float(ours / none), 4),
        "ratio_to_automatic": round(float(ours / automatic), 4),
        "ratio_to_hindsight": round(float(ours / bound), 4),
        "automatic_to_hindsight": round(float(automatic / bound), 4),
    }


def placement_us(runs: int = 2_000) -> float:
    """The decision alone, for a conversation of 200 blocks that runs."""
    longest = max(traffic("agent", size=1), key=lambda sent: len(sent.body["messages"]))
    messages = longest.body["messages"]
    while sum(len(turn["content"]) for turn in messages) + 41 > 200:
        messages = messages[:-2]
    ask = asked(longest._replace(body={**longest.body, "messages": messages}))
    path = read_path(ask.fields, ask.facts)
    assert path is not None
    world, rules = World(), default_rules()
    scope = Scope(tenant="t", feature="agent", model="claude-opus-5-5")
    rates: Rates = rules.prices.by_model[scope.model][0].rates
    world.prefixes.sent(scope, path)
    known = world.prefixes.look(scope, path)
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        lay(path, known, rules.models[scope.model], rates, CacheRules())
        took.append(time.perf_counter() - began)
    return sorted(took)[runs // 2] * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-cache", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    seed = parser.parse_args().seed
    found = {shape: measured(shape, seed=seed) for shape in SHAPES}
    columns = ("requests", "ratio_to_no_caching", "ratio_to_automatic", "ratio_to_hindsight", "automatic_to_hindsight")
    print("shape".ljust(14), *(name.rjust(22) for name in columns))
    for shape, figures in found.items():
        print(shape.ljust(14), *(str(figures[name]).rjust(22) for name in columns))
    print(json.dumps({"shapes": found, "placement_us": round(placement_us(), 1), "seed": seed}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
