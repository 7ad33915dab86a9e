"""The whole decision in one object, for /explain: the same functions as the live request, and no call.

Rule: trunk, pure. It shows sizes, names and reasons; never the request's text.
"""

from __future__ import annotations

import msgspec

from .decide.budget import usd
from .decide.evidence import weighed
from .decide.ladder import Rung
from .decide.price import input_estimate, price_at, worst_pico
from .decide.rules import trace
from .decide.shape import fits
from .dress import dress, max_tokens
from .errors import RequestError
from .recalling import Texts, sight
from .serving import choice_words
from .story import Story
from .vocabulary import Dressed


def explanation(story: Story, rungs: tuple[Rung, ...]) -> dict[str, object]:
    facts = story.ask.facts
    return {
        **choice_words(story),
        "pinned": story.pinned,
        "deadline_s": story.whole_s,
        "facts": {
            "input_tokens_estimate": input_estimate(facts),
            "turns": facts.turns,
            "tools": facts.tool_count,
            "images": facts.image_count,
            "documents": facts.document_count,
            "marks_of_the_caller": facts.marks,
            "prefix": facts.prefix_fingerprint,
            "stream": facts.stream,
        },
        "rules": _rules(story),
        "measured": [msgspec.to_builtins(one) for one in weighed(story.chosen.task, story.rules)],
        "candidates": [_candidate(story, tier) for tier in story.rules.tier_order],
        "ladder": [_rung(story, rung) for rung in rungs],
    }


def _rules(story: Story) -> list[dict[str, object]]:
    seen = sight(story.ask, story.caller, Texts(story.ask))
    return [{"rule": rule.name, "matched": yes, "why": why} for rule, yes, why in trace(story.rules.matchers, seen)]


def _candidate(story: Story, tier: str) -> dict[str, object]:
    """What the prompt costs on this tier: with a cold cache, with a warm one, and with what is in it now."""
    rules, facts = story.rules, story.ask.facts
    model = rules.ids[rules.policy.tiers[tier].model]
    price = price_at(model, rules.prices, story.started_ms, [])
    assert price is not None, "the loader lets no model in without a price"
    here = next((one for one in story.warmth if one.model == model), None)
    tokens = here.tokens if here is not None else input_estimate(facts)
    warm = min(here.warm_tokens, tokens) if here is not None else 0
    kept = min(max(_cacheable(story, Rung(model=model, tier=tier)), warm), tokens)
    rest_pico = (tokens - kept) * price.rates.input
    cold_pico = rest_pico + kept * price.rates.write_5m
    return {
        "tier": tier,
        "model": model,
        "chosen": tier == story.chosen.tier,
        "takes_it": fits(facts, model, rules) or "yes",
        "cacheable_tokens": kept,
        "warm_tokens": warm,
        "warm_for_s": here.warm_left_s if here is not None and warm else 0,
        "prompt_usd_cold": usd(cold_pico),
        "prompt_usd_warm": usd(rest_pico + kept * price.rates.read),
        "prompt_usd_now": usd(cold_pico - warm * (price.rates.write_5m - price.rates.read)),
        "usd_per_1k_output": usd(1000 * price.rates.output),
    }


def _cacheable(story: Story, rung: Rung) -> int:
    """How long the prefix is that is read or written."""
    try:
        dressed = dress(story, rung)
    except RequestError:
        return 0
    if dressed.caching is None or not dressed.caching.marked:
        return 0
    return max(dressed.caching.tokens, dressed.caching.expected.tokens)


def _cache(dressed: Dressed) -> dict[str, object] | None:
    """Where the marks stand, with the figures that speak for them, and what is expected of the cache."""
    caching = dressed.caching
    if caching is None:
        return None
    return {
        "expected_read_tokens": caching.expected.tokens,
        "why_no_more": caching.expected.cause,
        "varies_at": caching.expected.at,
        "marks_of_the_caller": len(caching.marked) - len(caching.marks),
        "marks": [msgspec.to_builtins(mark) for mark in caching.marks],
    }


def _rung(story: Story, rung: Rung) -> dict[str, object]:
    try:
        dressed = dress(story, rung)
    except RequestError as refused:
        return {"tier": rung.tier, "model": rung.model, "refused": refused.message, "field": refused.field}
    tokens, facts = max_tokens(story, dressed), story.ask.facts
    worst = worst_pico(facts, rung.model, tokens, story.rules, story.started_ms, story.may_write_1h)
    return {
        "tier": rung.tier,
        "model": rung.model,
        "worst_cost_usd": usd(worst),
        "max_tokens": tokens,
        "cache": _cache(dressed),
        "edits": [
            {
                "key": edit.key,
                "to": None
                if edit.value is None or edit.key in ("system", "tools", "messages")
                else msgspec.json.decode(edit.value),
                "why": edit.why,
            }
            for edit in dressed.edits
        ],
    }
