"""Kept answers in one process: in bounds, in time, to each tenant its own, and found by their likeness."""

from __future__ import annotations

import asyncio
import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from router.memory.nearby import ENTRY_BYTES
from router.memory.replies import ISOLATION, NEARBY_SHARE, OVERHEAD_BYTES, MemoryReplies, size_of
from router.vocabulary import EMPTY_BIN, Fingerprint, KeptReply

from ..worlds import ListEvents, ScriptedClock

MB = 1_000_000
MINUTE_MS = 60_000


def answer(clock: ScriptedClock, tenant: str = "ann", text: str = "So.", lasts_ms: int = MINUTE_MS) -> KeptReply:
    now_ms = clock.now_ms()
    return KeptReply(
        tenant=tenant,
        body=text.encode(),
        model="m",
        tier=None,
        task="chat",
        made_ms=now_ms,
        fresh_ms=now_ms + lasts_ms // 2,
        stale_ms=now_ms + lasts_ms,
    )


def empty(max_bytes: int = MB) -> tuple[MemoryReplies, ScriptedClock, ListEvents]:
    clock, events = ScriptedClock(), ListEvents()
    return MemoryReplies(clock, max_bytes, events), clock, events


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def held(replies: MemoryReplies, tenant: str, numbers: range) -> list[int]:
    return [number for number in numbers if replies.held(key(number), tenant) is not None]


def test_an_answer_is_given_until_it_is_stale_for_too_long() -> None:
    replies, clock, _ = empty()
    one = answer(clock)
    replies.put(key(1), one)
    clock.now_s += 59.999
    assert one == asyncio.run(replies.get(key(1), "ann"))
    clock.now_s += 0.001
    assert None is asyncio.run(replies.get(key(1), "ann"))
    assert (0, 0) == (replies.entries, replies.size_bytes)


class Passing(ScriptedClock):
    """Each look at it takes a while."""

    def now_ms(self) -> int:
        self.now_s += 0.5
        return super().now_ms()


def test_what_is_over_in_the_moment_when_it_should_give_way_gives_way_too() -> None:
    for lasts_ms in range(1_000, 60_000, 500):
        clock = Passing()
        replies = MemoryReplies(clock, 10 * OVERHEAD_BYTES, ListEvents())
        for number in range(12):
            replies.put(key(number), answer(clock, f"tenant{number}", lasts_ms=lasts_ms))
        clock.now_s += 100
        assert 0 == replies.size_bytes


def test_the_time_is_the_one_on_the_wall() -> None:
    """An answer that another machine made counts from when it was made."""
    replies, clock, _ = empty()
    old = msgspec.structs.replace(answer(clock), stale_ms=clock.now_ms())
    replies.put(key(1), old)
    assert (None, 0) == (replies.held(key(1), "ann"), replies.entries)


def test_a_newer_answer_takes_the_place_of_the_older() -> None:
    replies, clock, _ = empty()
    replies.put(key(1), answer(clock, text="x" * 5_000))
    replies.put(key(1), answer(clock, text="y"))
    found = replies.held(key(1), "ann")
    assert (b"y", 1, OVERHEAD_BYTES + 1) == (found and found.body, replies.entries, replies.size_bytes)


def test_nobody_is_given_what_is_not_his() -> None:
    replies, clock, events = empty()
    replies.put(key(1), answer(clock))
    assert [None, None] == [replies.held(key(1), tenant) for tenant in ("bob", "")]
    assert [] == events.counts


def test_an_answer_in_the_wrong_shelf_is_counted_and_not_given() -> None:
    replies, clock, events = empty()
    replies.put(key(1), answer(clock))
    replies._shelves["bob"] = replies._shelves["ann"]
    assert (None, [(ISOLATION, "")]) == (replies.held(key(1), "bob"), events.counts)


def test_what_is_held_is_bounded_in_bytes_and_the_least_used_goes_first() -> None:
    replies, clock, _ = empty(20 * (OVERHEAD_BYTES + 1_000))
    for number in range(30):
        replies.put(key(number), answer(clock, text="x" * 1_000))
        replies.held(key(0), "ann")
    assert [0, *range(11, 30)] == held(replies, "ann", range(30))
    assert 20 == replies.entries


def test_an_answer_that_is_too_long_is_not_held_and_takes_nobodys_place() -> None:
    replies, clock, _ = empty(100_000)
    replies.put(key(1), answer(clock))
    replies.put(key(2), answer(clock, text="x" * 80_000))
    assert [1] == held(replies, "ann", range(5))


def test_one_tenant_does_not_push_out_another() -> None:
    replies, clock, _ = empty(40 * (OVERHEAD_BYTES + 1_000))
    for number in range(10):
        replies.put(key(number), answer(clock, "bob", "x" * 1_000))
    for number in range(100, 1_000):
        replies.put(key(number), answer(clock, "ann", "x" * 1_000))
    assert 10 == len(held(replies, "bob", range(10)))
    assert list(range(970, 1_000)) == held(replies, "ann", range(100, 1_000))


def test_who_holds_more_than_his_share_makes_room_for_who_holds_less() -> None:
    replies, clock, _ = empty(40 * (OVERHEAD_BYTES + 1_000))
    for number in range(40):
        replies.put(key(number), answer(clock, "ann", "x" * 1_000))
    for number in range(100, 200):
        replies.put(key(number), answer(clock, "bob", "x" * 1_000))
    assert list(range(20, 40)) == held(replies, "ann", range(40)), "half is hers, and no more was taken"
    assert list(range(180, 200)) == held(replies, "bob", range(100, 200))


def test_what_is_over_makes_room_before_what_is_not() -> None:
    replies, clock, _ = empty(10 * (OVERHEAD_BYTES + 1_000))
    for number in range(9):
        replies.put(key(number), answer(clock, "bob", "x" * 1_000, lasts_ms=1_000))
    replies.put(key(9), answer(clock, "ann", "x" * 1_000, lasts_ms=10 * MINUTE_MS))
    clock.now_s += 61
    for number in range(10, 19):
        replies.put(key(number), answer(clock, "ann", "x" * 1_000))
    assert list(range(9, 19)) == held(replies, "ann", range(19))


def test_a_policy_may_keep_less_and_then_more() -> None:
    replies, clock, _ = empty(20 * (OVERHEAD_BYTES + 1_000))
    for number in range(20):
        replies.put(key(number), answer(clock, text="x" * 1_000))
    replies.resize(5 * (OVERHEAD_BYTES + 1_000))
    assert list(range(15, 20)) == held(replies, "ann", range(20))
    replies.resize(10 * MB)
    replies.put(key(99), answer(clock, text="x" * 5 * MB))
    assert [*range(15, 20), 99] == held(replies, "ann", range(100))


STEPS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 20), st.integers(0, 3_000), st.integers(1, 100), st.booleans()),
    max_size=80,
)


@settings(max_examples=60)
@given(steps=STEPS)
def test_whatever_comes_the_bound_holds_and_the_count_is_right(
    steps: list[tuple[str, int, int, int, bool]],
) -> None:
    max_bytes = 30_000
    replies, clock, events = empty(max_bytes)
    model: dict[tuple[str, bytes], KeptReply] = {}
    for tenant, number, size, seconds, alike in steps:
        one = answer(clock, tenant, "x" * size, lasts_ms=1_000 * seconds)
        model[tenant, key(number)] = one
        replies.put(key(number), one, question(number) if alike else None)
        clock.now_s += 1
        assert replies.size_bytes <= max_bytes
        found = {place: replies.held(place[1], place[0]) for place in model}
        given = {place: reply for place, reply in found.items() if reply is not None}
        assert all(model[place] == reply and clock.now_ms() < reply.stale_ms for place, reply in given.items())
        nearby = replies._nearby.size_bytes
        assert sum(map(size_of, given.values())) + nearby == replies.size_bytes
    assert [] == events.counts


def question(seed: int, *, scope: bytes = b"s", guard: bytes = b"g", changed: int = 0) -> Fingerprint:
    """Fingerprints of one seed are alike in all but the first `changed` bins."""
    dice = random.Random(seed)
    signature = [dice.getrandbits(32) for _ in range(64)]
    other = [dice.getrandbits(32) for _ in range(changed)]
    return Fingerprint(scope=scope, guard=guard, signature=(*other, *signature[changed:]))


def near(replies: MemoryReplies, asked: Fingerprint, tenant: str = "ann", threshold: float = 0.9) -> bytes | None:
    found = asyncio.run(replies.near(asked, tenant, threshold))
    return None if found is None else found.body


def test_the_most_alike_is_found_where_it_is_alike_enough() -> None:
    replies, clock, _ = empty()
    for changed in (2, 4, 20):
        replies.put(key(changed), answer(clock, text=str(changed)), question(1, changed=changed))
    replies.put(key(99), answer(clock, text="another"), question(2))
    assert b"2" == near(replies, question(1))
    assert (b"another", None) == (near(replies, question(2)), near(replies, question(3), threshold=0.01))
    assert None is near(replies, question(1), threshold=0.99)


def test_what_must_be_equal_must_be_equal() -> None:
    replies, clock, _ = empty()
    replies.put(key(1), answer(clock), question(1))
    assert b"So." == near(replies, question(1))
    others = [question(1, scope=b"t"), question(1, guard=b"h")]
    assert [None, None, None] == [near(replies, question(1), "bob"), *(near(replies, other) for other in others)]


def test_an_answer_that_is_gone_is_not_found_by_its_likeness_and_the_next_best_is() -> None:
    replies, clock, _ = empty()
    replies.put(key(1), answer(clock, text="brief", lasts_ms=1_000), question(1))
    replies.put(key(2), answer(clock, text="long"), question(1, changed=3))
    clock.now_s += 2
    assert (b"long", 1) == (near(replies, question(1)), len(replies._nearby))


def test_questions_to_be_found_by_likeness_are_bounded_too() -> None:
    replies, clock, _ = empty(40 * ENTRY_BYTES)
    for number in range(1_000):
        replies.put(key(number), answer(clock), question(number))
        assert replies._nearby.size_bytes <= NEARBY_SHARE * 40 * ENTRY_BYTES
    nearby = replies._nearby
    assert (10, b"So.") == (len(nearby), near(replies, question(999)))
    assert 10 * 10 == sum(len(bucket) for bucket in nearby._buckets.values()), "nothing is left of those that went"
    replies.resize(4 * ENTRY_BYTES)
    assert (1, 10) == (len(nearby), len(nearby._buckets))


def test_a_thousand_questions_with_much_in_common_are_looked_through_only_in_part() -> None:
    replies, clock, _ = empty(10 * MB)
    for number in range(500):
        mixed = (*question(1).signature[:32], *question(number).signature[32:])
        replies.put(key(number), answer(clock, text=str(number)), msgspec.structs.replace(question(1), signature=mixed))
    assert max(len(bucket) for bucket in replies._nearby._buckets.values()) <= 32
    asked = msgspec.structs.replace(question(1), signature=(*question(1).signature[:32], *question(7).signature[32:]))
    assert b"7" == near(replies, asked)


BINS = st.lists(st.sampled_from([1, 2, EMPTY_BIN]), min_size=8, max_size=8).map(tuple)
