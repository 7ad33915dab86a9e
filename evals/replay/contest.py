"""Which two models are routed between, and on which rows.

Rule: what is chosen for a file that is not known is chosen by its training rows only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from router.vocabulary.noun import Noun

from .rows import SUFFIX, TRAIN, Row, rows_of, split_of

ROWS_MIN = 100
TRIED_SHARE = 0.9  # of the rows a model must have been tried on to be in the running
WORTH = 0.05  # of quality, at least, must lie between two models for a router to be worth it
WHOLE_SHARE = 0.6  # of a file's rows must fit one pair for the file to be one contest


class Pair(Noun, frozen=True, kw_only=True):
    """Two models of a file; `usd`: what a call of each costs where the rows do not say."""

    weak: str
    strong: str
    source: str = ""  # "": all of the file
    usd: tuple[float, float] | None = None


class Contest(Noun, frozen=True, kw_only=True):
    """A pair and its rows."""

    name: str
    file: str
    pair: Pair
    rows: tuple[Row, ...]
    part: bool = False  # its rows are in another contest of the file too: it does not count in the mean

    @property
    def has_costs(self) -> bool:
        return self.pair.usd is not None or all(_priced(row, self.pair) for row in self.rows)


class Chosen(Noun, frozen=True, kw_only=True):
    """What the command line narrows it down to."""

    file: str | None = None
    source: str | None = None
    tiers: tuple[str, str] | None = None


_MIXTRAL, _GPT4 = "mixtral-8x7b-instruct-v0.1", "gpt-4-1106-preview"
_SONNET = "claude-3-5-sonnet-20241022"
KNOWN = {
    "routellm_gpt4_mixtral": tuple(
        Pair(weak=_MIXTRAL, strong=_GPT4, source=source, usd=(0.24, 24.7))
        for source in ("routellm_mmlu", "routellm_gsm8k")
    ),
    "zeroeval_claude3": (
        Pair(weak="claude-3-haiku-20240307", strong=_SONNET),
        Pair(weak="claude-3-5-haiku-20241022", strong=_SONNET),
    ),
}


def contests_of(paths: Sequence[Path], chosen: Chosen) -> tuple[tuple[Contest, ...], tuple[str, ...]]:
    """What can be replayed, and in words what cannot."""
    found: list[Contest] = []
    left_out: list[str] = []
    for path in paths:
        name = path.name.removesuffix(SUFFIX)
        if chosen.file in (None, name):
            rows = [row for row in rows_of(path) if chosen.source in (None, row.source)]
            made = list(_of_file(name, rows, chosen))
            found += [contest for contest in made if len(contest.rows) >= ROWS_MIN]
            left_out += [] if made else [f"{name}: no two models were tried on enough of its rows"]
            left_out += [f"{one.name}: {len(one.rows)} rows are too few" for one in made if len(one.rows) < ROWS_MIN]
    return tuple(found), tuple(left_out)


def _of_file(name: str, rows: Sequence[Row], chosen: Chosen) -> Iterator[Contest]:
    if chosen.tiers is None and name in KNOWN:
        pairs = KNOWN[name]
        wanted = [pair for pair in pairs if chosen.source is None or pair.source in ("", chosen.source)]
        yield from (_contest(name, pair, rows) for pair in wanted)
        return
    usd = next((pair.usd for pair in KNOWN.get(name, ()) if chosen.tiers == (pair.weak, pair.strong)), None)
    sources = sorted({row.source for row in rows})
    whole = _pair(rows, "", chosen, usd)
    covers = whole is not None and len(_fitting(rows, whole)) >= WHOLE_SHARE * len(rows)
    if whole is not None and covers:
        yield _contest(name, whole, rows)
    for source in sources if len(sources) > 1 else ():
        pair = _pair([row for row in rows if row.source == source], source, chosen, usd)
        if pair is not None:
            yield _contest(name, pair, rows, part=covers)


def _contest(name: str, pair: Pair, rows: Sequence[Row], part: bool = False) -> Contest:
    return Contest(
        name=f"{pair.source or name} {pair.weak} -> {pair.strong}",
        file=name,
        pair=pair,
        rows=tuple(_fitting(rows, pair)),
        part=part,
    )


def _fitting(rows: Sequence[Row], pair: Pair) -> list[Row]:
    tried = {pair.weak, pair.strong}
    return [row for row in rows if tried <= row.outcomes.keys() and pair.source in ("", row.source)]


def _pair(rows: Sequence[Row], source: str, chosen: Chosen, usd: tuple[float, float] | None) -> Pair | None:
    """The strongest model, and the cheapest of those that it is plainly better than, or the weakest where costs are
    not known."""
    if chosen.tiers is not None:
        return Pair(weak=chosen.tiers[0], strong=chosen.tiers[1], source=source, usd=usd)
    train = [row for row in rows if split_of(row.prompt) == TRAIN]
    models = sorted({model for row in train for model in row.outcomes})
    tried = {model: [row for row in train if model in row.outcomes] for model in models}
    enough = [model for model in models if len(tried[model]) >= max(1.0, TRIED_SHARE * len(train))]
    if len(enough) < 2:
        return None
    quality = {model: float(np.mean([row.outcomes[model] for row in tried[model]])) for model in enough}
    strong = max(enough, key=lambda model: (quality[model], model))
    worse = [model for model in enough if quality[model] < quality[strong]]
    others = [model for model in worse if quality[model] <= quality[strong] - WORTH] or worse
    if not others:
        return None
    usual = {model: _usual_cost(model, tried[model]) for model in others}
    priced = all(cost is not None for cost in usual.values())
    weak = min(others, key=lambda model: (usual[model] if priced else quality[model], model))
    return Pair(weak=weak, strong=strong, source=source)


def _usual_cost(model: str, rows: Sequence[Row]) -> float | None:
    known = [row.costs[model] for row in rows if row.costs and model in row.costs]
    return float(np.mean(known)) if known else None


def _priced(row: Row, pair: Pair) -> bool:
    return row.costs is not None and {pair.weak, pair.strong} <= row.costs.keys()
