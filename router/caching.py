"""Caching, in a request's way: what is asked of the API's prompt cache, what it gave, and what is learned of it.

Rule: trunk. decide/breakpoints.py says where marks stand, decide/misses.py what is to be expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from .decide.breakpoints import lay, size
from .decide.misses import DROPPED, expected, judged
from .decide.policy import Rulebook
from .decide.price import CHARACTERS_PER_TOKEN, price_at
from .decide.shape import shape
from .errors import RequestError
from .ports import Clock, Events, Prefixes
from .story import Story
from .vocabulary import Ask, Caching, Choice, Dressed, Edit, Path, Reply, Scope, Warmth
from .wire.marking import mark_edits
from .wire.prefix import read_path

UNTOUCHED = frozenset({"system", "tools", "messages"})  # where others edit, no mark is set
_OUTPUT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL = msgspec.Raw(b"null")


def path_of(ask: Ask, rules: Rulebook) -> Path | None:
    """The prompt as the cache sees it; None where it is too short for any model to be cached."""
    facts = ask.facts
    characters, tokens = CHARACTERS_PER_TOKEN
    size = (facts.tools_bytes + facts.system_bytes + facts.messages_bytes) * tokens // characters
    if size < rules.shortest_cached:
        return None
    return read_path(ask.fields, facts)


def cached(story: Story, model: str, edits: tuple[Edit, ...]) -> tuple[Caching | None, tuple[Edit, ...]]:
    """What is asked of the cache on this model, and the edits for it."""
    path, look, rules = story.path, story.look, story.rules
    if path is None or look is None or any(edit.key in UNTOUCHED for edit in edits):
        return None, ()
    scope = _scope(story, model, edits)
    known = look(scope, path)
    price = price_at(model, rules.prices, story.started_ms, [])
    assert price is not None, "the loader lets no model in without a price"
    laid = lay(path, known, rules.models[model], price.rates, story.cache_rules)
    try:
        marking = mark_edits(story.ask.fields, laid.marks)
    except msgspec.DecodeError:
        return None, ()
    hope = expected(path, known, laid, rules.models[model].cache_minimum)
    return Caching(scope=scope, marks=laid.marks, marked=laid.marked, expected=hope), marking


def warmths(story: Story) -> tuple[Warmth, ...]:
    """What each tier's model has of the prompt in its cache."""
    path, look, rules = story.path, story.look, story.rules
    if path is None or look is None:
        return ()
    task = story.task_named or (story.verdict.task if story.verdict is not None else None) or rules.default_task
    found = []
    for tier in rules.tier_order:
        model = rules.ids[rules.policy.tiers[tier].model]
        try:
            edits = shape(story.ask, Choice(tier=tier, model=model, task=task, reason=""), rules)
        except RequestError:
            continue
        known = look(_scope(story, model, edits), path)
        warm = max((seen for seen in known.spots if seen.warm), key=lambda seen: seen.tokens or 0, default=None)
        found.append(
            Warmth(
                model=model,
                tokens=size(path, known),
                warm_tokens=(warm.tokens or 0) if warm is not None else 0,
                warm_left_s=int(warm.warm_left_s) if warm is not None else 0,
                output_tokens=round(known.output_tokens or 0),
            )
        )
    return tuple(found)


def _scope(story: Story, model: str, edits: Iterable[Edit]) -> Scope:
    """Everything besides the prompt's own bytes that makes its entries others."""
    fields: dict[str, msgspec.Raw | None] = dict(story.ask.fields)
    for edit in edits:
        fields[edit.key] = edit.value
    output = fields.get("output_config")
    schema = _OUTPUT.decode(output).get("format", _NULL) if output is not None else _NULL
    head = hash((story.ask.facts.speed, bytes(schema)))
    others = tuple(bytes(fields.get(name) or b"") for name in ("tool_choice", "thinking", "output_config"))
    return Scope(
        tenant=story.caller.tenant,
        feature=story.ask.words.feature or "",
        model=model,
        head=head,
        turns=hash((head, *others, story.ask.facts.image_count > 0)),
    )


class Watch:
    """One call, as the prompt cache sees it: told when it is sent, when its answer begins, and what it used."""

    def __init__(self, prefixes: Prefixes, events: Events, clock: Clock, path: Path, caching: Caching) -> None:
        self._prefixes = prefixes
        self._events = events
        self._clock = clock
        self._path = path
        self._caching = caching
        self._sent_s = 0.0

    def sent(self) -> None:
        self._sent_s = self._clock.monotonic()
        self._prefixes.sent(self._caching.scope, self._path)

    def began(self) -> None:
        self._prefixes.began(self._caching.scope, self._path, self._caching.marked, self._sent_s)

    def ended(self, reply: Reply) -> Mapping[str, object]:
        """What the ledger's row says of the cache."""
        caching = self._caching
        cause, lost = judged(caching.expected, reply.usage)
        if cause == DROPPED:
            self._prefixes.dropped(caching.scope, self._path)
        self._prefixes.settled(caching.scope, self._path, caching.marked, reply.usage)
        self._events.count("cache_misses", cause or "none")
        return {
            "cache_expected_tokens": caching.expected.tokens,
            "cache_cause": cause,
            "cache_at": caching.expected.at if cause == caching.expected.cause else "",
            "cache_lost_tokens": max(0, lost),
        }


class Caches:
    """Of one process: makes the watch of each call."""

    def __init__(self, *, prefixes: Prefixes, events: Events, clock: Clock) -> None:
        self.look = prefixes.look
        self._prefixes = prefixes
        self._events = events
        self._clock = clock

    def watch(self, story: Story, dressed: Dressed) -> Watch | None:
        if story.path is None or dressed.caching is None:
            return None
        return Watch(self._prefixes, self._events, self._clock, story.path, dressed.caching)
