"""Traffic as it was seen, drawn anew from its shape: who sends which prompt when.

Rule: the same seed makes the same traffic. Times are virtual seconds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

Json = dict[str, Any]
CHARACTERS_PER_TOKEN = 2.5
WORDS = (
    *("order", "parcel", "refund", "invoice", "address", "account", "update", "status", "delivery", "customer"),
    *("request", "number", "please", "check", "again", "because", "before", "within", "during", "system"),
    *("option", "return", "payment", "method", "service", "contract", "period", "notice", "page", "help"),
)


class Sent(NamedTuple):
    """One request: when, from which feature, in which conversation, and what."""

    at_s: float
    feature: str
    session: str
    body: Json


def text(dice: random.Random, tokens: int) -> str:
    """About so many tokens of words that mean nothing."""
    characters, words = int(tokens * CHARACTERS_PER_TOKEN), []
    while characters > 0:
        words.append(dice.choice(WORDS))
        characters -= len(words[-1]) + 1
    return " ".join(words)


def support_chat(dice: random.Random, conversations: int = 120) -> Iterator[Sent]:
    """A system prompt of 3,000 tokens and eight turns, each customer typing for a while."""
    system, start = text(dice, 3_000), 0.0
    for number in range(conversations):
        start += dice.expovariate(1 / 90)
        now, turns = start, []
        for _ in range(8):
            turns.append({"role": "user", "content": text(dice, dice.randint(20, 110))})
            body = {"model": "claude-haiku-5-5", "max_tokens": 300, "system": system, "messages": list(turns)}
            yield Sent(now, "support", f"chat-{number}", body)
            turns.append({"role": "assistant", "content": text(dice, dice.randint(80, 300))})
            now += 4 + dice.lognormvariate(3.5, 0.8)


def documents(dice: random.Random, sessions: int = 200) -> Iterator[Sent]:
    """15,000 tokens of documents, and a few questions about each set of them, every one asked by itself."""
    system, start = text(dice, 700), 0.0
    for number in range(sessions):
        start += dice.expovariate(1 / 240)
        parts = [{"type": "text", "text": text(dice, 3_000)} for _ in range(5)]
        now = start
        for _ in range(1 + min(15, int(dice.expovariate(1 / 6)))):
            question = {"type": "text", "text": text(dice, dice.randint(15, 60))}
            body = {
                "model": "claude-sonnet-5-5",
                "max_tokens": 600,
                "system": system,
                "messages": [{"role": "user", "content": [*parts, question]}],
            }
            yield Sent(now, "documents", f"set-{number}", body)
            now += 8 + dice.lognormvariate(3.7, 0.7)


def agent(dice: random.Random, sessions: int = 40) -> Iterator[Sent]:
    """40 tools, 60 turns, and a person who now and then is away."""
    tools = [
        {"name": f"tool_{n}", "description": text(dice, 190), "input_schema": {"type": "object", "properties": {}}}
        for n in range(40)
    ]
    system, start = text(dice, 2_000), 0.0
    for number in range(sessions):
        start += dice.expovariate(1 / 1_200)
        turns: list[Json] = [{"role": "user", "content": [{"type": "text", "text": text(dice, 150)}]}]
        now = start
        for turn in range(60):
            body = {"model": "claude-opus-5-5", "max_tokens": 2_000, "system": system, "tools": tools}
            yield Sent(now, "agent", f"agent-{number}", {**body, "messages": list(turns)})
            calls = [
                {"type": "tool_use", "id": f"t{turn}_{n}", "name": f"tool_{n}", "input": {"path": text(dice, 30)}}
                for n in range(dice.choice((1, 1, 1, 2, 4)))
            ]
            turns.append({"role": "assistant", "content": [{"type": "text", "text": text(dice, 60)}, *calls]})
            results = [
                {"type": "tool_result", "tool_use_id": call["id"], "content": text(dice, dice.randint(60, 600))}
                for call in calls
            ]
            turns.append({"role": "user", "content": results})
            now += 3 + dice.lognormvariate(2.0, 0.6) + (dice.uniform(360, 2_400) if dice.random() < 0.03 else 0)


def extraction(dice: random.Random, requests: int = 500) -> Iterator[Sent]:
    """Each document once, in bursts with silence between them."""
    system, now = text(dice, 1_200), 0.0
    for number in range(requests):
        now += dice.expovariate(1 / 5) + (dice.uniform(400, 1_500) if number % 60 == 59 else 0)
        body = {
            "model": "claude-haiku-5-5",
            "max_tokens": 500,
            "system": system,
            "messages": [{"role": "user", "content": text(dice, dice.randint(1_000, 4_000))}],
        }
        yield Sent(now, "extraction", f"document-{number}", body)


SHAPES = {"support_chat": support_chat, "documents": documents, "agent": agent, "extraction": extraction}


def traffic(shape: str, seed: int = 7, size: int | None = None) -> list[Sent]:
    """In the order in which it arrives."""
    dice = random.Random(seed)
    made = SHAPES[shape](dice) if size is None else SHAPES[shape](dice, size)
    return sorted(made, key=lambda sent: sent.at_s)
