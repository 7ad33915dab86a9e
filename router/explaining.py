"""The whole decision in one object, for /explain: the same functions as the live request, and no call.

Rule: trunk, pure. It shows sizes, names and reasons; never the request's text.
"""

from __future__ import annotations

import msgspec

from .decide.budget import usd
from .decide.fallback import Rung
from .decide.price import input_estimate, worst_pico
from .dress import dress, max_tokens
from .errors import RequestError
from .serving import choice_words
from .story import Story


def explanation(story: Story, rungs: tuple[Rung, ...], pinned: str | None) -> dict[str, object]:
    facts = story.ask.facts
    return {
        **choice_words(story),
        "pinned": pinned,
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
        "ladder": [_rung(story, rung) for rung in rungs],
    }


def _rung(story: Story, rung: Rung) -> dict[str, object]:
    try:
        dressed = dress(story, rung)
    except RequestError as refused:
        return {"tier": rung.tier, "model": rung.model, "refused": refused.message, "field": refused.field}
    tokens = max_tokens(story, dressed)
    worst = worst_pico(story.ask.facts, rung.model, tokens, story.rules, story.started_ms)
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
