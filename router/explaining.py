"""The whole decision in one object, for /explain: the same functions as the live request, and no call.

Rule: trunk, pure. It shows sizes, names and reasons; never the request's text.
"""

from __future__ import annotations

import msgspec

from .decide.budget import usd
from .decide.evidence import weighed
from .decide.fallback import Rung
from .decide.price import input_estimate, price_at, worst_pico
from .decide.rules import trace
from .decide.shape import fits
from .dress import dress, max_tokens
from .errors import RequestError
from .recalling import Texts, sight
from .serving import choice_words
from .story import Story


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
    """What the prompt costs on this tier: with a cold cache, and with tools and system read from a warm one."""
    rules, facts = story.rules, story.ask.facts
    model = rules.ids[rules.policy.tiers[tier].model]
    price = price_at(model, rules.prices, story.started_ms, [])
    assert price is not None, "the loader lets no model in without a price"
    tokens, prefix = input_estimate(facts), (facts.tools_bytes + facts.system_bytes) * 2 // 5
    marked = facts.marks > 0 or (rules.policy.cache.marks == "auto" and prefix >= rules.models[model].cache_minimum)
    kept = min(prefix, tokens) if marked else 0
    rest_pico = (tokens - kept) * price.rates.input
    return {
        "tier": tier,
        "model": model,
        "chosen": tier == story.chosen.tier,
        "takes_it": fits(facts, model, rules) or "yes",
        "cacheable_tokens": kept,
        "prompt_usd_cold": usd(rest_pico + kept * price.rates.write_5m),
        "prompt_usd_warm": usd(rest_pico + kept * price.rates.read),
        "usd_per_1k_output": usd(1000 * price.rates.output),
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
        "edits": [
            {
                "key": edit.key,
                "to": None
                if edit.value is None or edit.key in ("system", "tools")
                else msgspec.json.decode(edit.value),
                "why": edit.why,
            }
            for edit in dressed.edits
        ],
    }
