"""Which faults strike, when, how often and whom. Each seed draws its own few: a swarm finds more than a mean does.

Rule: drawn once, from the seed, before anything happens.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from random import Random

import msgspec

HOUR_S = 3600.0

# What the API refuses with: status, type, code, retry-after in seconds (0: none said).
REFUSALS: dict[str, tuple[int, str, str, int]] = {
    "limited_without_time": (429, "rate_limit_error", "", 0),
    "ramp_limited": (429, "rate_limit_error", "ramp_limit_exceeded", 3),
    "spend_limited": (429, "rate_limit_error", "enforced_spend_limit_reached", 600),
    "overloaded": (529, "overloaded_error", "", 0),
    "server_error": (500, "api_error", "", 0),
    "unavailable": (503, "api_error", "", 0),
    "bad_gateway": (502, "api_error", "", 0),
    "gateway_timeout": (504, "timeout_error", "", 0),
    "authentication": (401, "authentication_error", "", 0),
    "permission": (403, "permission_error", "", 0),
    "billing": (402, "billing_error", "", 0),
    "not_found": (404, "not_found_error", "", 0),
    "conflict": (409, "conflict_error", "", 0),
    "bad_request": (400, "invalid_request_error", "", 0),
    "too_large": (413, "request_too_large", "", 0),
    "redirect": (307, "", "", 0),
}
# What happens to a call on its way, to its answer, and to a model as a whole.
ON_THE_WAY = ("connect_failed", "lost", "silent", "slow")
IN_A_STREAM = ("cut", "hang_up", "stall", "garbage_event", "error_event", "second_start", "early_error", "too_big")
IN_A_BODY = ("html", "half", "null", "error_in_200", "no_usage", "wrong_type")
IN_A_VERDICT = ("bad_verdict",)
IN_THE_ANSWER = ("refused", "cut_at_max_tokens", "context_exceeded", "empty")
OF_A_MODEL = ("storm", "brownout")
KINDS = (*REFUSALS, *ON_THE_WAY, *IN_A_STREAM, *IN_A_BODY, *IN_A_VERDICT, *IN_THE_ANSWER, *OF_A_MODEL)

# Rare in life, and the end of every request while they last: kept shorter.
_DEADLY = frozenset({"authentication", "permission", "billing", "spend_limited", "bad_request", "redirect"})


class Spell(msgspec.Struct, frozen=True):
    """A fault that may strike for a while."""

    kind: str
    from_s: float
    to_s: float
    model: str  # "" for all
    rate: float


class Weather:
    """What the seed has in store."""

    def __init__(self, dice: Random, models: Sequence[str], hours: float) -> None:
        share = dice.choice((0.1, 0.3, 0.5))
        kinds = [kind for kind in KINDS if dice.random() < share]
        spells = [spell for kind in kinds for spell in _spells(kind, dice, models, hours)]
        self.kinds = tuple(kinds)
        self.spells = tuple(sorted(spells, key=lambda spell: (spell.from_s, spell.kind, spell.model)))
        self._dice = dice
        self._changes, self._active = _calendar(self.spells)

    def over(self, model: str, now_s: float) -> list[Spell]:
        """What may strike a model now."""
        active = self._active[bisect_right(self._changes, now_s)]
        return [spell for spell in active if spell.model in ("", model)]

    def strikes(self, model: str, now_s: float) -> Spell | None:
        """What does strike this call."""
        for spell in self.over(model, now_s):
            if spell.rate >= 1.0 or self._dice.random() < spell.rate:
                return spell
        return None


def _spells(kind: str, dice: Random, models: Sequence[str], hours: float) -> list[Spell]:
    found = []
    for _ in range(1 + int(dice.random() * 2 * max(1.0, hours))):
        from_s = dice.random() * hours * HOUR_S
        longest_s = 60.0 if kind in _DEADLY else 1200.0
        lasts_s = 5.0 * (longest_s / 5.0) ** dice.random()
        model = "" if dice.random() < 0.25 else dice.choice(models)
        rate = 1.0 if kind in OF_A_MODEL else dice.choice((0.02, 0.1, 0.3, 1.0))
        found.append(Spell(kind, from_s, from_s + lasts_s, model, rate))
    return found


def _calendar(spells: Sequence[Spell]) -> tuple[list[float], list[tuple[Spell, ...]]]:
    """The instants at which anything changes, and what is on between them."""
    changes = sorted({instant for spell in spells for instant in (spell.from_s, spell.to_s)})
    active: list[tuple[Spell, ...]] = [()]
    active += [tuple(spell for spell in spells if spell.from_s <= instant < spell.to_s) for instant in changes]
    return changes, active
