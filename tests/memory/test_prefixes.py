"""What comes back is counted, what is not is given up, and the memory of it all has an end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.memory.prefixes import MemoryPrefixes
from router.vocabulary import Counts, Known, Path, Scope, Seen, Usage
from router.wire.ask import read_messages
from router.wire.prefix import read_path

from ..worlds import ScriptedClock

SCOPE = Scope(tenant="t", feature="f", model="m")
LONG = "word " * 600


class Story:
    def __init__(self, prefixes: int = 1_000, streams: int = 100) -> None:
        self.clock = ScriptedClock()
        self.memory = MemoryPrefixes(self.clock, prefixes=prefixes, streams=streams)

    def send(self, found: Path, after_s: float = 0.0, scope: Scope = SCOPE) -> None:
        self.clock.now_s += after_s
        self.memory.sent(scope, found)

    def look(self, found: Path, after_s: float = 0.0, scope: Scope = SCOPE) -> Known:
        self.clock.now_s += after_s
        return self.memory.look(scope, found)

    def of(self, found: Path, kind: str, after_s: float = 0.0, scope: Scope = SCOPE) -> Seen:
        at = next(at for at, spot in enumerate(found.spots) if spot.kind == kind)
        return self.look(found, after_s, scope).spots[at]


def path(system: str, *turns: str) -> Path:
    messages: list[Any] = [
        {"role": "assistant" if at % 2 else "user", "content": words} for at, words in enumerate(turns)
    ]
    body = {"model": "m", "max_tokens": 1, "system": system, "messages": messages}
    one = read_messages(msgspec.json.encode(body), {})
    found = read_path(one.fields, one.facts)
    assert found is not None
    return found


def marked(found: Path, kind: str) -> tuple[tuple[int, str], ...]:
    return tuple((at, "5m") for at, spot in enumerate(found.spots) if spot.kind == kind)


def came_back(counts: Counts) -> tuple[int, int, int]:
    return counts.within_5m, counts.within_1h, counts.later


@pytest.mark.parametrize(("gap_s", "counted"), [(10, (1, 0, 0)), (600, (0, 1, 0)), (4_000, (0, 0, 1))])
def test_a_prefix_that_comes_back_is_counted_by_its_gap(gap_s: float, counted: tuple[int, int, int]) -> None:
    story = Story()
    story.send(path(LONG, "a"))
    assert came_back(story.of(path(LONG, "b"), "system", gap_s).own) == counted
    story.send(path(LONG, "b"))
    assert came_back(story.of(path("other" + LONG, "c"), "system").like) == counted


def test_what_nobody_sends_again_is_given_up_after_an_hour() -> None:
    story = Story()
    story.send(path(LONG, "a"))
    story.send(path("x" + LONG, "b"), after_s=400)
    like = story.of(path(LONG, "c"), "end:first").like
    assert (1, 1) == (like.young, like.old)
    story.send(path("y" + LONG, "d"), after_s=3_700)
    like = story.of(path(LONG, "e"), "end:first").like
    assert (1, 0, 2) == (like.young, like.old, like.later)


def test_the_end_of_a_turn_comes_back_with_the_next_turn_and_only_once() -> None:
    story = Story()
    turns = ["a"]
    story.send(path(LONG, *turns))
    for _ in range(5):
        turns += ["b", "c"]
        story.send(path(LONG, *turns), after_s=10)
    likes = [story.of(path(LONG, *turns, "b", "c"), kind).like for kind in ("end:later",)]
    assert (4, 0) == (likes[0].within_5m, likes[0].later)
    assert story.of(path(LONG, "a"), "end:first").like.within_5m == 1


def test_an_entry_is_warm_from_its_first_byte_to_the_end_of_its_life_and_each_use_renews_it() -> None:
    story = Story()
    found = path(LONG, "a")
    story.send(found)
    assert story.of(found, "system").warm is None
    story.memory.began(SCOPE, found, marked(found, "system"), story.clock.now_s)
    assert story.of(found, "system", 290).warm == "5m"
    story.memory.began(SCOPE, found, marked(found, "system"), story.clock.now_s)
    assert story.of(found, "system", 290).warm == "5m"
    assert story.of(found, "system", 10).warm is None


def test_what_the_api_counted_is_known_and_what_it_did_not_take_is_not_warm() -> None:
    story = Story()
    found = path(LONG, "a")
    story.send(found)
    story.memory.began(SCOPE, found, marked(found, "system"), story.clock.now_s)
    story.memory.settled(SCOPE, found, marked(found, "system"), Usage(input_tokens=10, cache_write_5m_tokens=1_190))
    assert story.of(found, "system").tokens == 1_190
    density = story.look(found).tokens_per_byte
    assert density == pytest.approx(1_200 / found.spots[-1].text_bytes)
    story.memory.settled(SCOPE, found, marked(found, "system"), Usage(input_tokens=1_200))
    assert story.of(found, "system").warm is None


@pytest.mark.parametrize(
    "other",
    [
        msgspec.structs.replace(SCOPE, tenant="u"),
        msgspec.structs.replace(SCOPE, model="n"),
        msgspec.structs.replace(SCOPE, head=1, turns=1),
    ],
)
def test_nothing_is_shared_with_another_tenant_model_or_schema(other: Scope) -> None:
    story = Story()
    found = path(LONG, "a")
    story.send(found)
    story.memory.began(SCOPE, found, marked(found, "system"), story.clock.now_s)
    seen = story.of(found, "system", scope=other)
    assert (None, None, (0, 0, 0)) == (seen.warm, seen.since_s, came_back(seen.own))


def test_where_else_a_prompt_was_asked_is_known_within_its_tenant() -> None:
    story = Story()
    found = path(LONG, "a")
    story.memory.began(SCOPE, found, marked(found, "system"), story.clock.now_s)
    assert story.look(found, scope=msgspec.structs.replace(SCOPE, model="n")).elsewhere == 0
    assert story.look(found, scope=msgspec.structs.replace(SCOPE, model="n", tenant="u")).elsewhere is None


def test_a_feature_that_sent_nothing_yet_finds_what_another_one_keeps_warm() -> None:
    story = Story()
    found = path(LONG, "a")
    story.send(found)
    story.memory.began(SCOPE, found, marked(found, "system"), story.clock.now_s)
    assert story.of(found, "system", scope=msgspec.structs.replace(SCOPE, feature="new")).warm == "5m"


def test_the_block_that_varies_is_named() -> None:
    story = Story()
    story.send(path("It is 12:01. " + LONG, "a"))
    assert story.look(path("It is 12:01. " + LONG, "b")).varies is None
    assert story.look(path("It is 12:02. " + LONG, "b")).varies == 0


def test_it_forgets_the_oldest_and_the_counts_stay_true() -> None:
    story = Story(prefixes=50, streams=3)
    for number in range(500):
        scope = msgspec.structs.replace(SCOPE, feature=f"f{number % 5}")
        story.send(path(f"{number}" + LONG, "a"), after_s=1, scope=scope)
    assert len(story.memory) == 50
    assert len(story.memory._young) + len(story.memory._old) <= 50
    like = story.of(path(LONG, "b"), "system", scope=msgspec.structs.replace(SCOPE, feature="f4")).like
    assert min(like.young, like.old, like.later) >= 0


def test_a_look_changes_nothing() -> None:
    story = Story()
    found = path(LONG, "a")
    story.send(found)
    first = story.look(found)
    assert [story.look(found) for _ in range(3)] == [first] * 3
