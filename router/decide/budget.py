"""What a request may cost: step down to a tier whose worst case fits, or refuse before sending.

Rule: pure; the worst cases come in as numbers, so that every comparison is in pico-dollars.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..errors import RequestError
from ..vocabulary import PICO_PER_USD, Choice
from .policy import Rulebook


def usd(pico: int) -> str:
    """Pico-dollars as an exact decimal string."""
    whole, part = divmod(abs(pico), PICO_PER_USD)
    digits = f"{part:012d}".rstrip("0")
    sign = "-" if pico < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def afford(choice: Choice, max_cost_pico: int | None, worst_by_tier: Mapping[str, int], rules: Rulebook) -> Choice:
    """The choice, or the highest tier below it whose worst case is within the caller's limit.

    `worst_by_tier` holds the tiers that take this request; the key "" is a model outside the tiers.
    """
    if max_cost_pico is None or worst_by_tier[choice.tier or ""] <= max_cost_pico:
        return choice
    if not choice.named_by_caller and choice.tier is not None:
        at = rules.tier_order.index(choice.tier)
        for tier in reversed(rules.tier_order[:at]):
            if worst_by_tier.get(tier, max_cost_pico + 1) <= max_cost_pico:
                return msgspec.structs.replace(
                    choice,
                    tier=tier,
                    model=rules.ids[rules.policy.tiers[tier].model],
                    reason=f"{choice.reason}; stepped down to {tier}, whose worst case is within max_cost_usd",
                )
    cheapest = min(worst_by_tier.values())
    raise RequestError(
        "router_max_cost",
        f"this request could cost up to {usd(cheapest)} USD even on the cheapest model it may use; "
        "raise max_cost_usd, or lower max_tokens or the prompt's length",
        field="router.max_cost_usd",
    )
