"""Who asks what, and when: a steady flow with bursts, at both doors, whole and streamed, patient and not.

Rule: real bodies, as a client would send them; everything drawn from the seed.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from .composing import TENANTS
from .weather import HOUR_S

PROMPTS = tuple(f"How do I set up part {number} of the machine, and what does it cost?" for number in range(200))
MANUAL = "\n".join(
    f"Section {number}. Tighten screw {number} before you open valve {number + 1}." for number in range(90)
)
MODELS = ("auto", "auto", "auto", "auto", "sonnet", "haiku", "claude-sonnet-5-5", "claude-opus-5-5")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, and how its caller behaves."""

    number: int
    request_id: str
    tenant: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    own_door: bool  # /complete, else /v1/messages
    stream: bool
    workload: str
    deadline_s: float | None
    max_cost_usd: str | None
    leaves_after_s: float | None
    dawdles_s: float  # between two chunks


class Traffic:
    """The flow of one simulation."""

    def __init__(self, dice: Random, hours: float) -> None:
        self._dice = dice
        self._number = 0
        self._last: Request | None = None
        self._steady = dice.choice((0.05, 0.15, 0.4))
        self._background = dice.choice((0.0, 0.2, 0.5))
        count = int(hours * 2 * dice.random()) + 1
        self.bursts = tuple(self._burst(hours) for _ in range(count))

    def until_next_s(self, now_s: float) -> float:
        """How long until the next request comes."""
        rate = self._steady + sum(rate for from_s, to_s, rate in self.bursts if from_s <= now_s < to_s)
        wait_s = self._dice.expovariate(rate)
        ahead = [from_s - now_s for from_s, _, _ in self.bursts if now_s < from_s < now_s + wait_s]
        return min(ahead) + 1e-6 if ahead else wait_s

    def in_burst(self, now_s: float) -> bool:
        return any(from_s <= now_s < to_s for from_s, to_s, _ in self.bursts)

    def _burst(self, hours: float) -> tuple[float, float, float]:
        from_s = self._dice.random() * hours * HOUR_S
        return from_s, from_s + self._dice.choice((5, 20, 60)), self._dice.choice((2.0, 8.0, 20.0))

    def next(self, now_s: float) -> Request:
        """Some ask what has just been asked, most of all when everybody asks at once."""
        self._number += 1
        if self._last is not None and self._dice.random() < (0.4 if self.in_burst(now_s) else 0.1):
            self._last = self._again(self._last)
        else:
            self._last = self._new()
        return self._last

    def _again(self, request: Request) -> Request:
        """The same, from another caller of the same tenant."""
        request_id = f"req-{self._number}"
        return msgspec.structs.replace(
            request,
            number=self._number,
            request_id=request_id,
            headers=tuple(
                (name, request_id.encode() if name == b"x-request-id" else value) for name, value in request.headers
            ),
            **self._manners(),
        )

    def _manners(self) -> dict[str, Any]:
        dice = self._dice
        return {
            "leaves_after_s": dice.expovariate(0.4) if dice.random() < 0.08 else None,
            "dawdles_s": dice.random() if dice.random() < 0.03 else 0.0,
        }

    def _new(self) -> Request:
        dice = self._dice
        own_door = dice.random() < 0.55
        stream = dice.random() < 0.5
        words = self._words()
        fields: dict[str, object] = {"stream": True} if stream else {}
        headers = {"x-api-key": dice.choice(tuple(TENANTS)), "x-request-id": f"req-{self._number}"}
        if own_door:
            fields |= {"router": words} if words else {}
        else:
            headers |= {f"x-router-{name.replace('_', '-')}": str(value) for name, value in words.items()}
        body = msgspec.json.encode({**self._asked(own_door), **fields})
        deadline = words.get("deadline_s")
        return Request(
            number=self._number,
            request_id=headers["x-request-id"],
            tenant=TENANTS[headers["x-api-key"]],
            headers=tuple((name.encode(), value.encode()) for name, value in headers.items()),
            body=body,
            own_door=own_door,
            stream=stream,
            workload=str(words.get("workload", "interactive")),
            deadline_s=deadline if isinstance(deadline, float) else None,
            max_cost_usd=str(words["max_cost_usd"]) if "max_cost_usd" in words else None,
            **self._manners(),
        )

    def _words(self) -> dict[str, object]:
        dice = self._dice
        words: dict[str, object] = {}
        if dice.random() < self._background:
            words["workload"] = "background"
        if dice.random() < 0.4:
            words["deadline_s"] = round(0.2 * 600.0 ** dice.random(), 3)
        if dice.random() < 0.05:
            words["max_cost_usd"] = dice.choice(("0.0005", "0.005", "0.05"))
        if dice.random() < 0.1:
            words["fallback"] = dice.choice(("off", "same"))
        if dice.random() < 0.3:
            words["user"] = f"user{int(dice.random() * 5)}"
        if dice.random() < 0.2:
            words["feature"] = "chat"
        if dice.random() < 0.2:
            words["session"] = f"session{int(dice.random() * 30)}"
        if dice.random() < 0.05:
            words["cache"] = dice.choice(("off", "refresh"))
        return words

    def _asked(self, own_door: bool) -> dict[str, object]:
        """What is asked: a prompt, or a conversation, maybe behind a long manual."""
        dice = self._dice
        prompt = dice.choice(PROMPTS) if dice.random() < 0.6 else f"Question {self._number}: how do I fix it?"
        if own_door and dice.random() < 0.7:
            return {"prompt": prompt}
        turns: list[dict[str, object]] = []
        for turn in range(int(dice.random() * 3)):
            turns.append({"role": "user", "content": f"And step {turn}?"})
            turns.append({"role": "assistant", "content": f"Turn it {turn} times."})
        turns.append({"role": "user", "content": prompt})
        fields: dict[str, object] = {"messages": turns, "max_tokens": dice.choice((64, 256, 1024, 4096))}
        fields["model"] = dice.choice(MODELS)
        if dice.random() < 0.15:
            fields["system"] = MANUAL
        return fields
