"""What one process learnt of a model that the others should know.

Rule: spans of time, never points in time: the clocks of two machines need not agree.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ..decide.ratelimits import Figures, Said

SPAN_S_MAX = 86_400.0
EVERY_MODEL = ""  # it is about the key behind all of them


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    about: Literal["open", "closed", "blocked", "said"]
    model: Annotated[str, Meta(max_length=256)]
    for_s: Annotated[float, Meta(ge=0, le=SPAN_S_MAX)] = 0.0
    said: Said | None = None  # of the buckets, in an answer's head


def aged(told: Told, seconds: float) -> Told | None:
    """The same some time later: what it says is less by then, or nothing any more."""
    if told.about in ("open", "blocked"):
        left_s = told.for_s - seconds
        return msgspec.structs.replace(told, for_s=min(left_s, SPAN_S_MAX)) if left_s > 0 else None
    if told.said is None:
        return told
    parts = (told.said.requests, told.said.inputs, told.said.outputs)
    return msgspec.structs.replace(told, said=Said(*(part and _refilled(part, seconds) for part in parts)))


def _refilled(part: Figures, seconds: float) -> Figures:
    """A minute's worth a minute; how soon it is full is not known so well any more."""
    return Figures(part.limit, min(part.limit, part.left + int(max(seconds, 0.0) * part.limit / 60)))
