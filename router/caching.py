"""Caching, in a request's way: what is asked of the API's prompt cache, what it gave, and what is learned of it.

Rule: trunk. decide/breakpoints.py says where marks stand, decide/misses.py what is to be expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from .decide.breakpoints import TOKENS_PER_BYTE, Laid, lay, size
from .decide.misses import CHANGED, DROPPED, expected, judged
from .decide.policy import Rulebook
from .decide.price import CHARACTERS_PER_TOKEN, price_at
from .decide.shape import shape
from .errors import RequestError
from .herding import Herds
from .ports import Clock, Events, Prefixes
from .story import Story
from .varying import Varying
from .vocabulary import Ask, Caching, Choice, Dressed, Edit, Known, Path, Reply, Scope, Warmth
from .wire.marking import mark_edits
from .wire.prefix import block_of_head, read_path

TELL_LOST_EVERY_S = 60.0
UNTOUCHED = frozenset({"system", "tools", "messages"})  # where others edit, no mark is set
_OUTPUT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NULL = msgspec.Raw(b"null")


def path_of(ask: Ask, rules: Rulebook, moved: Edit | None = None) -> Path | None:
    """The prompt as the cache sees it; None where it is too short for any model to be cached."""
    facts = ask.facts
    characters, tokens = CHARACTERS_PER_TOKEN
    size = (facts.tools_bytes + facts.system_bytes + facts.messages_bytes) * tokens // characters
    if size < rules.shortest_cached:
        return None
    fields = ask.fields if moved is None or moved.value is None else {**ask.fields, moved.key: moved.value}
    return read_path(fields, facts, varies_last=moved is not None)


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
        marking = mark_edits(story.fields, laid.marks)
    except msgspec.DecodeError:
        return None, ()
    hope = expected(path, known, laid, rules.models[model].cache_minimum)
    if story.cache_rules.diagnostics and "diagnostics" not in story.fields:
        marking = (*marking, _diagnostics(story))
    caching = Caching(
        scope=scope,
        marks=laid.marks,
        marked=laid.marked,
        tokens=laid.tokens,
        expected=hope,
        writes=_writes(story, scope, known, laid),
    )
    return caching, marking


def _diagnostics(story: Story) -> Edit:
    asked = msgspec.json.encode({"previous_message_id": story.last_message})
    return Edit(key="diagnostics", value=msgspec.Raw(asked), why="the API is asked why its cache was missed")


def _writes(story: Story, scope: Scope, known: Known, laid: Laid) -> tuple[int, ...]:
    """What this call would write and another may be writing: by model, settings and digest."""
    rules, path = story.cache_rules, story.path
    if not rules.hold_ms or path is None:
        return ()
    cold = [path.spots[at] for at, _ in laid.marked if known.spots[at].warm is None]
    density = known.tokens_per_byte or TOKENS_PER_BYTE
    long = [spot for spot in cold if spot.text_bytes * density + spot.media_tokens >= rules.hold_tokens]
    return tuple(hash((scope.tenant, scope.model, scope.turns, scope.head, spot.digest)) for spot in long)


def warmth_matters(story: Story, choice: Choice) -> bool:
    """Could the cache speak for another tier than the one that is wanted? Most requests are told at a glance."""
    rules, path = story.rules, story.path
    if path is None or story.was_on is None or choice.named_by_caller or choice.tier not in rules.tier_order:
        return False
    if choice.wanted is not None or story.mood.calm >= rules.policy.sticky.calm_turns:
        return True
    at = rules.tier_order.index(choice.tier)
    above = {rules.ids[rules.policy.tiers[tier].model] for tier in rules.tier_order[at + 1 :]}
    return bool(above) and not above.isdisjoint(story.was_on(story.caller.tenant, path))


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
    fields: dict[str, msgspec.Raw | None] = dict(story.fields)
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

    def __init__(self, caches: Caches, story: Story, path: Path, caching: Caching, again: bool) -> None:
        self._caches = caches
        self._again = again
        self._fields, self._book = story.fields, story.rules.prices
        self._path = path
        self._caching = caching
        self._sent_s = 0.0
        self._leads: tuple[int, ...] = ()

    def sent(self) -> None:
        self._sent_s = self._caches.clock.monotonic()
        self._leads = self._caches.herds.lead(self._caching.writes)
        if self._again:
            return  # a retry is no return of the prefix
        self._caches.prefixes.sent(self._caching.scope, self._path)

    def began(self) -> None:
        self._caches.prefixes.began(self._caching.scope, self._path, self._caching.marked, self._sent_s)
        if self._caches.on_began is not None:
            self._caches.on_began(self._caching.scope.model, self._path, self._caching.marked)
        self.over()

    def over(self) -> None:
        """Nobody need wait for it any longer."""
        self._caches.herds.done(self._leads)
        self._leads = ()

    def ended(self, reply: Reply) -> Mapping[str, object]:
        """What the ledger's row says of the cache."""
        caching, prefixes = self._caching, self._caches.prefixes
        cause, at, lost = judged(caching.expected, reply)
        if cause == DROPPED:
            self._caches.lost(caching.scope, caching.expected.tokens, reply.usage.cache_read_tokens)
            prefixes.dropped(caching.scope, self._path)
            prefixes.began(caching.scope, self._path, caching.marked, self._sent_s)  # what this call wrote is there
        if cause == CHANGED and caching.expected.block is not None:
            block = block_of_head(self._fields, caching.expected.block)
            self._caches.varying.changed(caching.scope, self._path, caching.expected.at, lost, block, self._book)
        prefixes.settled(caching.scope, self._path, caching.marked, reply.usage)
        self._caches.events.count("cache_misses", cause or "none")
        return {
            "cache_expected_tokens": caching.expected.tokens,
            "cache_cause": cause,
            "cache_at": at,
            "cache_lost_tokens": lost,
        }


class Caches:
    """Of one process: makes the watch of each call."""

    def __init__(self, *, prefixes: Prefixes, events: Events, clock: Clock) -> None:
        self.look, self.was_on = prefixes.look, prefixes.was_on
        self.prefixes = prefixes
        self.events = events
        self.clock = clock
        self.herds = Herds()
        self.varying = Varying(events, clock)
        self.on_began: Callable[[str, Path, tuple[tuple[int, str], ...]], None] | None = None
        self._told_lost_s = -TELL_LOST_EVERY_S

    def watch(self, story: Story, dressed: Dressed, *, again: bool) -> Watch | None:
        """Of one call; `again`: the same request was sent to that model before."""
        if story.path is None or dressed.caching is None:
            return None
        return Watch(self, story, story.path, dressed.caching, again)

    def lost(self, scope: Scope, expected_tokens: int, read_tokens: int) -> None:
        """An entry that should have been there was not: said once a minute at most, counted always."""
        now_s = self.clock.monotonic()
        if now_s - self._told_lost_s >= TELL_LOST_EVERY_S:
            self._told_lost_s = now_s
            figures = {"expected_tokens": expected_tokens, "read_tokens": read_tokens}
            self.events.say("cache_entry_lost", feature=scope.feature, model=scope.model, **figures)
