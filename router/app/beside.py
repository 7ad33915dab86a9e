"""What runs beside the requests, watched: what ends by a fault of ours is said, counted, and shown in /health/ready.

Rule: begins nothing and mends nothing; a restart does.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ..ports import Events

Work = Coroutine[Any, Any, None]


class Beside:
    """Of one process."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.stopped: list[str] = []  # by the name of the function that runs no more

    def watched(self, works: tuple[Work, ...]) -> tuple[Work, ...]:
        return tuple(self._watch(work) for work in works)

    async def _watch(self, work: Work) -> None:
        try:
            await work
        except Exception as fault:  # noqa: BLE001 - whatever it is, it must not end in silence
            name = str(getattr(work, "__qualname__", "something"))
            self.stopped.append(name)
            self._events.count("stopped", name)
            self._events.say("stopped", what=name, kind=type(fault).__name__)
