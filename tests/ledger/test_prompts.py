"""Prompts that are kept: in a file of their own that only this user reads, for so long and no more than so much."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import apsw
import pytest

from router.ledger.prompts import DAY_MS, FILE, TEND_EVERY_S, PromptStore, kept_prompts, oldest_ms
from router.ledger.report import NoLedger
from router.vocabulary import Sampled
from tests.scripted import ScriptedClock
from tests.worlds import ListEvents


def sampled(name: str, at_ms: int, task: str = "chat", size: int = 10) -> Sampled:
    return Sampled(request_id=name, at_ms=at_ms, task=task, model="m", body=b"b" * size, answer=b"{}")


def stored(folder: Path, *kept: Sampled, days: int = 30, max_mb: int = 10) -> ListEvents:
    events = ListEvents()
    store = PromptStore(folder, ScriptedClock(), events)
    for one in kept:
        store.keep(one, days, max_mb)
    store.close()
    return events


def test_what_was_kept_is_read_newest_first(tmp_path: Path) -> None:
    now = ScriptedClock().now_ms()
    stored(tmp_path, sampled("a", now - 2), sampled("b", now - 1, task="sums"), sampled("c", now))
    assert ["c", "b", "a"] == [one.request_id for one in kept_prompts(tmp_path)]
    assert ["b"] == [one.request_id for one in kept_prompts(tmp_path, task="sums")]
    assert ["c", "b"] == [one.request_id for one in kept_prompts(tmp_path, since_ms=now - 1)]
    assert sampled("c", now) == next(kept_prompts(tmp_path))


def test_only_this_user_may_read_the_file(tmp_path: Path) -> None:
    stored(tmp_path, sampled("a", 1))
    assert 0o600 == stat.S_IMODE((tmp_path / FILE).stat().st_mode)


def test_without_anything_kept_there_is_no_file_and_a_word_about_it(tmp_path: Path) -> None:
    stored(tmp_path)
    assert not (tmp_path / FILE).exists()
    with pytest.raises(NoLedger, match="sampling"):
        list(kept_prompts(tmp_path))


def test_what_is_old_is_deleted(tmp_path: Path) -> None:
    now = ScriptedClock().now_ms()
    stored(tmp_path, sampled("old", now - 3 * DAY_MS), sampled("new", now - DAY_MS), days=2)
    assert ["new"] == [one.request_id for one in kept_prompts(tmp_path)]
    assert b"old" not in (tmp_path / FILE).read_bytes()


def test_the_oldest_of_too_much_is_deleted(tmp_path: Path) -> None:
    now = ScriptedClock().now_ms()
    stored(tmp_path, *(sampled(f"r{at:03}", now - 1000 + at, size=10_000) for at in range(300)), max_mb=1)
    kept = [one.request_id for one in kept_prompts(tmp_path)]
    assert "r299" == kept[0]
    assert len(kept) * 10_000 <= 1024 * 1024


def test_a_file_that_cannot_be_written_costs_no_request(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    events = stored(tmp_path, sampled("a", 1))
    assert ("samples", "failed") in events.counts
    with pytest.raises(NoLedger, match="cannot be read"):
        list(kept_prompts(tmp_path))


def test_a_reader_beside_the_writer_sees_a_whole_file(tmp_path: Path) -> None:
    now = ScriptedClock().now_ms()
    store = PromptStore(tmp_path, ScriptedClock(), ListEvents())
    for at in range(200):
        store.keep(sampled(f"r{at}", now), 30, 10)
    store.close()
    with apsw.Connection(str(tmp_path / FILE)) as connection:
        assert 200 == next(connection.execute("SELECT count(*) FROM prompts"))[0]


def test_no_more_is_deleted_than_must_be(tmp_path: Path) -> None:
    now = ScriptedClock().now_ms()
    stored(tmp_path, *(sampled(f"r{at:02}", now + at, size=100_000) for at in range(20)), max_mb=1)
    assert [f"r{at}" for at in range(19, 9, -1)] == [one.request_id for one in kept_prompts(tmp_path)]


def test_one_that_is_larger_than_all_may_be_costs_the_others_nothing(tmp_path: Path) -> None:
    now = ScriptedClock().now_ms()
    events = stored(tmp_path, sampled("small", now - 1), sampled("huge", now, size=2_000_000), max_mb=1)
    assert ["small"] == [one.request_id for one in kept_prompts(tmp_path)]
    assert ("samples", "too_big") in events.counts


def test_what_was_deleted_is_in_no_file_while_others_have_it_open(tmp_path: Path) -> None:
    now = ScriptedClock().now_ms()
    stored(tmp_path, sampled("new", now))
    with closing(apsw.Connection(str(tmp_path / FILE))) as reader:
        assert 1 == next(reader.execute("SELECT count(*) FROM prompts"))[0]
        stored(tmp_path, sampled("secret", now - 3 * DAY_MS), days=30)
        assert any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())
        stored(tmp_path, sampled("newer", now), days=2)
        assert [] == [path.name for path in tmp_path.iterdir() if b"secret" in path.read_bytes()]


class PacedClock(ScriptedClock):
    """Its hours pass when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.hour = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await self.hour.wait()
        self.hour.clear()
        self.slept.append(seconds)


async def tended(store: PromptStore, clock: PacedClock, between: Callable[[], None]) -> None:
    """At its start, and when an hour has passed; each time until its thread has done it."""
    tending = asyncio.ensure_future(store.tend(lambda: (2, 10)))
    for do in (between, lambda: None):
        await asyncio.sleep(0)
        store.close()
        do()
        clock.hour.set()
        await asyncio.sleep(0)
    tending.cancel()
    with suppress(asyncio.CancelledError):
        await tending


@pytest.mark.anyio
async def test_what_is_old_is_deleted_at_the_start_and_once_an_hour_also_when_nothing_more_is_kept(
    tmp_path: Path,
) -> None:
    clock, names = PacedClock(), list[list[str]]()
    store = PromptStore(tmp_path, clock, ListEvents())
    now = clock.now_ms()
    stored(tmp_path, sampled("old", now - 3 * DAY_MS), sampled("new", now))

    def meanwhile() -> None:
        names.append([one.request_id for one in kept_prompts(tmp_path)])
        stored(tmp_path, sampled("older", now - 4 * DAY_MS))

    await tended(store, clock, meanwhile)
    names.append([one.request_id for one in kept_prompts(tmp_path)])
    assert [["new"], ["new"]] == names
    assert [TEND_EVERY_S] * 2 == clock.slept


@pytest.mark.anyio
async def test_where_nothing_was_ever_kept_no_file_is_made(tmp_path: Path) -> None:
    clock = PacedClock()
    await tended(PromptStore(tmp_path, clock, ListEvents()), clock, lambda: None)
    assert not any(tmp_path.glob("*"))  # noqa: ASYNC240 - an empty folder


def test_a_reader_may_pass_over_what_is_too_old_where_nobody_deletes_it(tmp_path: Path) -> None:
    now = ScriptedClock().now_ms()
    stored(tmp_path, sampled("old", now - 3 * DAY_MS), sampled("new", now - DAY_MS))
    assert ["new"] == [one.request_id for one in kept_prompts(tmp_path, oldest_ms(2, now))]
