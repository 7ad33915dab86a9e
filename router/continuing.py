"""An answer that was cut off at max_tokens is asked to go on, and the halves are joined: where its task says so.

Rule: trunk. Each call is metered like any other; one that fails leaves the answer as far as it came.
"""

from __future__ import annotations

import msgspec

from .attempt import Running
from .furthering import Furthering
from .sending import BYTES_PER_TOKEN
from .story import Story
from .vocabulary import Dressed, Edit, OutcomeKind
from .wire.joining import can_go_on, joined

GO_ON = "Your answer was cut off. Go on exactly where it ended: repeat nothing, announce nothing, add no remark."
GOES_ON = frozenset({OutcomeKind.ANSWERED, OutcomeKind.CUT_AT_MAX_TOKENS})
_CONFIG = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TURNS = msgspec.json.Decoder(list[msgspec.Raw])


class Continuing:
    """One per process; it holds no state of any request."""

    def __init__(self, furthering: Furthering) -> None:
        self._furthering = furthering

    async def finish(self, story: Story, dressed: Dressed, running: Running, made: list[Running]) -> None:
        """Calls for more, as often as the task allows; `running` holds the joined answer in the end."""
        for _ in range(story.task.continuations):
            if running.outcome is None or running.outcome.kind is not OutcomeKind.CUT_AT_MAX_TOKENS:
                return
            content = can_go_on(running.whole)
            if content is None or not await self._more(story, going_on(story, dressed, content), running, made):
                return

    async def _more(self, story: Story, dressed: Dressed, running: Running, made: list[Running]) -> bool:
        said_tokens = len(running.whole) // BYTES_PER_TOKEN
        more = await self._furthering.call(story, dressed, made, said_tokens)
        if more is None or more.outcome is None or more.outcome.kind not in GOES_ON or not more.whole:
            return False
        whole = joined(running.whole, more.whole, exact=story.task.output.type != "text")
        if whole is not None:
            running.go_on_with(more, whole)
        return whole is not None


def going_on(story: Story, dressed: Dressed, content: list[dict[str, object]]) -> Dressed:
    """The same call with what was said so far, and the request to go on."""
    edits = {edit.key: edit for edit in dressed.edits}
    edited = edits.get("messages")
    before = edited.value if edited is not None and edited.value is not None else story.fields["messages"]
    said = {"role": "assistant", "content": content}
    turns = [*_TURNS.decode(before), said, {"role": "user", "content": GO_ON}]
    messages = Edit(key="messages", value=msgspec.Raw(msgspec.json.encode(turns)), why="asked to go on")
    others = tuple(edit for edit in dressed.edits if edit.key not in ("messages", "output_config"))
    others = (*others, *_without_format(story, edits.get("output_config")))
    # What the prompt cache holds of the first call is read again; nothing more is expected of it.
    return msgspec.structs.replace(dressed, edits=(*others, messages), caching=None)


def _without_format(story: Story, edited: Edit | None) -> tuple[Edit, ...]:
    """Asked for a schema, a model would begin a whole new answer of it; the joined one is held against it instead."""
    raw = edited.value if edited is not None else story.fields.get("output_config")
    if raw is None:
        return () if edited is None else (edited,)
    config = _CONFIG.decode(raw)
    config.pop("format", None)
    value = msgspec.Raw(msgspec.json.encode(config)) if config else None
    return (Edit(key="output_config", value=value, why="goes on in the middle of its format"),)
