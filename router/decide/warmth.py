"""What a warm prompt cache is worth when a model is chosen: the real cost of asking here, or there.

Rule: pure. Quality comes first: a request goes below what it needs never, and above it only where that is cheaper.
A conversation comes down once at most, after it has been calm for some turns, and when the move pays.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..vocabulary import Choice, Facts, Warmth
from .budget import usd
from .policy import PriceBook, Rulebook
from .price import input_estimate
from .shape import fits

MARGIN_PERCENT = 90  # of the cost of staying: a move must be cheaper than this
USUAL_OUTPUT_TOKENS = 500
NO_WARMTH: tuple[Warmth, ...] = ()


class Mood(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a conversation has gone so far."""

    calm: int = 0  # turns in a row that needed less than the tier that it is on
    came_down: bool = False


def weigh(wanted: Choice, held: Choice, facts: Facts, mood: Mood, warmth: Sequence[Warmth], rules: Rulebook) -> Choice:
    """The choice that holds, or one that costs less and is no worse than what is wanted."""
    if held.named_by_caller or held.tier is None or held.tier not in rules.tier_order:
        return held
    down = _down(wanted, held, facts, mood, warmth, rules)
    if down is not None:
        return down
    if held.rule is not None or not warmth:
        return held
    return _where_it_is_warm(held, facts, warmth, rules)


def mood_after(mood: Mood, pinned: str | None, chosen: Choice, rules: Rulebook) -> Mood:
    """How the conversation has gone once this turn is answered."""
    if _is_below(chosen.tier, pinned, rules):
        return Mood(came_down=True)
    if chosen.verdict is None or chosen.verdict.difficulty is None:
        return mood  # nobody judged this turn
    return Mood(calm=mood.calm + 1 if _is_below(chosen.wanted, chosen.tier, rules) else 0, came_down=mood.came_down)


def _is_below(tier: str | None, other: str | None, rules: Rulebook) -> bool:
    order = rules.tier_order
    return tier in order and other in order and order.index(tier) < order.index(other)


def prompt_pico(model: str, tokens: int, warm: int, book: PriceBook) -> int:
    """What a prompt costs: what is warm is read, the rest is written."""
    price = book.by_model[model][0]
    is_long = price.long is not None and price.above_tokens is not None and tokens > price.above_tokens
    rates = price.long if is_long and price.long is not None else price.rates
    return warm * rates.read + max(0, tokens - warm) * rates.write_5m


def call_pico(model: str, facts: Facts, warmth: Sequence[Warmth], book: PriceBook, *, again: bool = False) -> int:
    """What one call costs there; `again`: the next one, when all but what is new is warm."""
    known = next((one for one in warmth if one.model == model), None)
    tokens = known.tokens if known is not None else input_estimate(facts)
    warm = tokens if again else min(tokens, known.warm_tokens) if known is not None else 0
    output = known.output_tokens if known is not None and known.output_tokens else _usual_output(facts, warmth)
    price = book.by_model[model][0]
    is_long = price.long is not None and price.above_tokens is not None and tokens > price.above_tokens
    rate = price.long.output if is_long and price.long is not None else price.rates.output
    return prompt_pico(model, tokens, warm, book) + output * rate


def _down(
    wanted: Choice, held: Choice, facts: Facts, mood: Mood, warmth: Sequence[Warmth], rules: Rulebook
) -> Choice | None:
    sticky = rules.policy.sticky
    if not _is_below(wanted.tier, held.tier, rules) or wanted.verdict is None or wanted.verdict.difficulty is None:
        return None
    if sticky.down == "never" or mood.came_down or mood.calm < sticky.calm_turns or facts.has_thinking_blocks:
        return None
    turns, book = mood.calm, rules.prices
    stay = call_pico(held.model, facts, warmth, book) + (turns - 1) * call_pico(
        held.model, facts, warmth, book, again=True
    )
    move = call_pico(wanted.model, facts, warmth, book) + (turns - 1) * call_pico(
        wanted.model, facts, warmth, book, again=True
    )
    if move * 100 >= stay * MARGIN_PERCENT:
        return None
    why = f"{turns} turns in a row needed no more, and as many cost {usd(move)} USD there, {usd(stay)} here"
    return msgspec.structs.replace(wanted, reason=f"{wanted.reason}; moved down from {held.tier}: {why}")


def _where_it_is_warm(held: Choice, facts: Facts, warmth: Sequence[Warmth], rules: Rulebook) -> Choice:
    """A higher tier that has the prompt in its cache can cost less than a lower one that has not."""
    order, book = rules.tier_order, rules.prices
    at = order.index(held.tier or "")
    here = call_pico(held.model, facts, warmth, book)
    for tier in order[at + 1 : _top(held, rules) + 1]:
        model = rules.ids[rules.policy.tiers[tier].model]
        if not any(one.model == model and one.warm_tokens for one in warmth) or fits(facts, model, rules) is not None:
            continue
        there = call_pico(model, facts, warmth, book)
        if there * 100 < here * MARGIN_PERCENT:
            reason = (
                f"{held.reason}; {tier} has it in its cache: about {usd(there)} USD there, {usd(here)} on {held.tier}"
            )
            return msgspec.structs.replace(held, tier=tier, model=model, reason=reason)
    return held


def _top(held: Choice, rules: Rulebook) -> int:
    """The highest tier that may be taken: no verdict can go above its cap, and nobody above what is by name only."""
    order = rules.tier_order
    cap = rules.policy.classifier.cap_tier
    top = order.index(cap) if cap is not None else len(order) - 1
    while top > 0 and rules.policy.tiers[order[top]].only_by_name:
        top -= 1
    return top


def _usual_output(facts: Facts, warmth: Sequence[Warmth]) -> int:
    known = max((one.output_tokens for one in warmth), default=0)
    return known or min(USUAL_OUTPUT_TOKENS, facts.max_tokens or USUAL_OUTPUT_TOKENS)
