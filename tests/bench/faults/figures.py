"""From answers to figures: what one run of one system came to.

Rule: pure. A request counts as answered only if a whole answer came within the deadline; every request counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .judge import Verdict
from .questions import Question
from .scenarios import Load

SERVED_BY = ("model", "cache", "stale", "canned")
TICK_S = 0.25  # an answer that comes when its time is up needs a moment to be read
OPEN_SHARE = 0.1  # a breaker is open when fewer than one request in ten leads to a call


@dataclass(frozen=True)
class Asked:
    """One request and what became of it. Times in seconds from the start of the load."""

    due_s: float
    late_s: float  # how much after it was due the client sent it
    waited_s: float  # from when it was due to the end of its answer
    question: Question
    verdict: Verdict


@dataclass(frozen=True)
class Calls:
    """What the stand-in counted while it was there: how many calls had come by which second."""

    marks: tuple[tuple[float, int], ...]  # (seconds from the start of the load, calls so far)
    until_s: float  # nobody counted after it

    @property
    def total(self) -> int:
        return self.marks[-1][1] if self.marks else 0


@dataclass(frozen=True)
class Figures:
    """One run of one system. Waits are those of every request, answered or not."""

    rate: float
    requests: int
    answered_share: float
    by_model_share: float
    served_by: dict[str, int]
    models: dict[str, int]
    late: int  # whole, but after the deadline
    errors: int  # that a user sees
    error_kinds: dict[str, int]
    passed_off: int
    silent: int  # streams that end in good order without their end and without an error
    p50_ms: float
    p99_ms: float
    p99_last_half_ms: float
    max_ms: float
    calls_per_request: float
    breaker_open_s: float | None  # when calls stopped going out, as the stand-in saw it
    p99_once_open_ms: float | None
    client_late_p99_ms: float  # what the load itself was behind its schedule
    parts: dict[str, dict[str, float]]  # by door, and streamed or whole


def figures(asked: Sequence[Asked], calls: Calls, load: Load) -> Figures:
    whole = [one for one in asked if one.verdict.kind == "whole"]
    answered = [one for one in whole if _in_time(one, load)]
    served = Counter(one.verdict.served_by for one in answered)
    failed = [one for one in asked if one.verdict.kind != "whole"]
    counted = [one for one in asked if one.due_s < calls.until_s]
    opened_s = opened(asked, calls)
    return Figures(
        rate=load.rate,
        requests=len(asked),
        answered_share=_share(len(answered), len(asked)),
        by_model_share=_share(served["model"], len(asked)),
        served_by={kind: served[kind] for kind in SERVED_BY},
        models=dict(Counter(one.verdict.model for one in answered if one.verdict.served_by == "model")),
        late=len(whole) - len(answered),
        errors=len(failed),
        error_kinds=dict(Counter(one.verdict.why for one in failed).most_common(8)),
        passed_off=sum(one.verdict.kind == "passed_off" for one in asked),
        silent=sum(one.verdict.kind == "silent" for one in asked),
        p50_ms=percentile_ms(asked, 50),
        p99_ms=percentile_ms(asked, 99),
        p99_last_half_ms=percentile_ms([one for one in asked if one.due_s >= load.seconds / 2], 99),
        max_ms=percentile_ms(asked, 100),
        calls_per_request=round(calls.total / max(1, len(counted)), 3),
        breaker_open_s=opened_s,
        p99_once_open_ms=None if opened_s is None else percentile_ms([o for o in asked if o.due_s >= opened_s], 99),
        client_late_p99_ms=_percentile_ms([one.late_s for one in asked], 99),
        parts=parts(asked, load),
    )


def opened(asked: Sequence[Asked], calls: Calls) -> float | None:
    """The first second from which the calls are few, and stay few, beside the requests that no cache answered."""
    seconds = [
        (start_s, end_s, after - before)
        for (start_s, before), (end_s, after) in zip(calls.marks, calls.marks[1:], strict=False)
    ]
    found = None
    for start_s, end_s, made in reversed(seconds):
        needed = sum(start_s <= one.due_s < end_s and one.verdict.served_by != "cache" for one in asked)
        if made > OPEN_SHARE * needed:
            return found
        if needed:  # the time after the last request says nothing
            found = round(start_s, 1)
    return found


def percentile_ms(asked: Iterable[Asked], percent: float) -> float:
    return _percentile_ms([one.waited_s for one in asked], percent)


def _percentile_ms(values_s: Sequence[float], percent: float) -> float:
    if not values_s:
        return 0.0
    rank = max(1, math.ceil(len(values_s) * percent / 100))
    return round(sorted(values_s)[rank - 1] * 1000, 2)


def parts(asked: Sequence[Asked], load: Load) -> dict[str, dict[str, float]]:
    """The same requests parted by their door, and by their form."""
    parted: dict[str, list[Asked]] = {}
    for one in asked:
        for part in (one.question.door, "streamed" if one.question.stream else "whole"):
            parted.setdefault(part, []).append(one)
    return {name: _part(those, load) for name, those in sorted(parted.items())}


def _part(those: Sequence[Asked], load: Load) -> dict[str, float]:
    answered = sum(one.verdict.kind == "whole" and _in_time(one, load) for one in those)
    return {
        "requests": len(those),
        "answered_share": _share(answered, len(those)),
        "p99_ms": percentile_ms(those, 99),
    }


def _in_time(one: Asked, load: Load) -> bool:
    return one.waited_s <= load.deadline_s + TICK_S


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 0.0
