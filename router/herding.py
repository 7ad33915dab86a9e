"""Many requests, one cold prefix: where the policy says so, the first one goes and the others wait for its entry.

Rule: trunk. Nobody waits longer than the policy and his own deadline allow, whatever becomes of the first one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .story import Story
from .vocabulary import Dressed

# Of a request's time: the rest is the answer's.
SHARE_TO_WAIT = 0.25


class Herds:
    """Of one process: which prefixes are being written right now."""

    def __init__(self) -> None:
        self._written: dict[int, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._written)

    def lead(self, keys: Sequence[int]) -> tuple[int, ...]:
        """Says that these are being written; gives those that nobody else writes already."""
        mine = tuple(key for key in dict.fromkeys(keys) if key not in self._written)
        for key in mine:
            self._written[key] = asyncio.Event()
        return mine

    def done(self, keys: Sequence[int]) -> None:
        """They are there, or will not come."""
        for key in keys:
            event = self._written.pop(key, None)
            if event is not None:
                event.set()

    async def wait(self, story: Story, dressed: Dressed, left_s: float) -> bool:
        """Waits while another request writes what this one would write. Was there anything to wait for?"""
        rules, caching = story.cache_rules, dressed.caching
        if not rules.hold_ms or caching is None:
            return False
        event = next((self._written[key] for key in reversed(caching.writes) if key in self._written), None)
        if event is None:
            return False
        try:
            async with asyncio.timeout(min(rules.hold_ms / 1000, left_s * SHARE_TO_WAIT)):
                await event.wait()
        except TimeoutError:
            pass
        return True
