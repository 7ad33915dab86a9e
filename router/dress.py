"""Making a choice ready to send: the model's parameter rules, the cache marks, and nothing else.

Rule: trunk, pure. What is not named by an edit leaves as the bytes that came.
"""

from __future__ import annotations

import msgspec

from .caching import cached
from .decide.ladder import Rung
from .decide.shape import shape
from .story import Story
from .vocabulary import Choice, Dressed, Edit
from .wire.edit import apply


def dress(story: Story, rung: Rung) -> Dressed:
    """The edits for one model. Raises RequestError(router_unsupported) before anything is sent."""
    ask, rules = story.ask, story.rules
    chosen = story.chosen
    choice = Choice(
        tier=rung.tier,
        model=rung.model,
        task=chosen.task,
        reason=chosen.reason,
        named_by_caller=chosen.named_by_caller,
    )
    shaped = shape(ask, choice, rules)
    caching, marking = cached(story, rung.model, shaped)
    edits = (*shaped, *_with(story.moved, marking), *_streamed(story, shaped))
    return Dressed(model=rung.model, tier=rung.tier, edits=edits, caching=caching)


def _with(moved: Edit | None, marking: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The moved lines and the marks: where both are of the system text, the marks stand in the moved one already."""
    if moved is None:
        return marking
    marked = next((edit for edit in marking if edit.key == moved.key), None)
    if marked is None:
        return (moved, *marking)
    both = msgspec.structs.replace(marked, why=f"{moved.why}; {marked.why}")
    return tuple(both if edit is marked else edit for edit in marking)


def body(story: Story, dressed: Dressed) -> bytes:
    return apply(story.ask, dressed.edits)


def streams_upstream(story: Story, dressed: Dressed) -> bool:
    """Is the API asked to stream? For every caller who streams, and for very long whole answers."""
    return story.ask.facts.stream or any(edit.key == "stream" for edit in dressed.edits)


def max_tokens(story: Story, dressed: Dressed) -> int:
    """The max_tokens that will be sent."""
    return _max_tokens(story, dressed.edits)


def _max_tokens(story: Story, edits: tuple[Edit, ...]) -> int:
    for edit in edits:
        if edit.key == "max_tokens" and edit.value is not None:
            return msgspec.json.decode(edit.value, type=int)
    return story.ask.facts.max_tokens or 0


def _streamed(story: Story, shaped: tuple[Edit, ...]) -> tuple[Edit, ...]:
    if story.ask.facts.stream or _max_tokens(story, shaped) <= story.rules.policy.limits.whole_tokens:
        return ()
    return (
        Edit(key="stream", value=msgspec.Raw(b"true"), why="so long an answer is streamed to us, and put together"),
    )
