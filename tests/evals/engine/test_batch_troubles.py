"""What a real Batches API does in hours, and what it does wrong: without a server, by a script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from typing import Any, cast

import msgspec
import pytest

from evals.answers import Answers
from evals.asking import CallFailed
from evals.batch_api import BatchApi, BatchTrouble, Gone, Line, NotCreated, Seen, _Counts, _Result
from evals.batching import LISTED_BY_MS, POLL_S, Batching
from evals.pending import Folder, Pending
from evals.places import Places
from evals.ports import Halted
from evals.question import Question
from evals.spending import Purse
from router.policyfile import load
from router.ports import Ledger
from router.settings import BUNDLED_POLICY
from router.upstream.caps import DEFAULT_CAPS
from router.upstream.client import open_client
from router.vocabulary import PICO_PER_USD, LedgerRow

from .scene import suite
from .test_asking import Timeless, question

pytestmark = pytest.mark.anyio

RULES = load(BUNDLED_POLICY)
HELD_PICO = PICO_PER_USD // 2  # for an item of the batches without a server


def seen(batch_id: str, processing: int, done: int, at_ms: int = 1_000) -> Seen:
    return Seen(
        id=batch_id,
        processing_status="in_progress" if processing else "ended",
        created_at=datetime.fromtimestamp(at_ms / 1000, UTC),
        request_counts=_Counts(processing=processing, succeeded=done),
    )


def good(key: str) -> Line:
    content = [{"type": "text", "text": f"answer {key}"}]
    usage = {"input_tokens": 100, "output_tokens": 10}
    fields = {"type": "message", "id": "msg_1", "model": "claude-haiku-5-5", "content": content, "usage": usage}
    raw = msgspec.Raw(msgspec.json.encode({**fields, "stop_reason": "end_turn"}))
    return Line(custom_id=key, result=_Result(type="succeeded", message=raw))


def bad(key: str, kind: str = "expired", error: str = "") -> Line:
    result = {"custom_id": key, "result": {"type": kind, "error": {"error": {"type": error, "message": "no good"}}}}
    return msgspec.convert(result, Line)


class Scripted:
    """A Batches API that does what the test says."""

    def __init__(self) -> None:
        self.created: list[list[str]] = []
        self.lost: BatchTrouble | None = None  # what is told of the next creation
        self.arrives = True  # does a creation come through whose answer is lost?
        self.listed = True
        self.polls: dict[str, list[Seen | Exception]] = {}
        self.ends: dict[str, list[Line]] = {}
        self.say: Callable[[str], Line] = good
        self.others: list[Seen] = []

    async def create(self, items: Sequence[tuple[str, bytes]]) -> Seen:
        keys, batch_id = [key for key, _ in items], f"msgbatch_{len(self.created)}"
        trouble, self.lost = self.lost, None
        if trouble is None or self.arrives:
            self.created.append(keys)
            self.ends.setdefault(batch_id, [self.say(key) for key in keys])
        if trouble is not None:
            raise trouble
        return seen(batch_id, len(keys), 0)

    async def seen(self, batch_id: str) -> Seen:
        polls = self.polls.get(batch_id)
        step = polls.pop(0) if polls else seen(batch_id, 0, 1)
        if isinstance(step, Exception):
            raise step
        return step

    async def since(self, since_ms: int) -> list[Seen]:
        own = [seen(f"msgbatch_{number}", 0, len(keys)) for number, keys in enumerate(self.created) if self.listed]
        return [one for one in [*self.others, *own] if one.created_ms >= since_ms]

    async def results(self, batch_id: str) -> AsyncIterator[Line]:
        for line in self.ends[batch_id]:
            yield line


class Books:
    def __init__(self) -> None:
        self.rows: dict[str, LedgerRow] = {}

    def settle(self, row: LedgerRow) -> None:
        self.rows[row.attempt_id] = row


class Scene:
    def __init__(self, folder: Path, cap_pico: int = 10 * PICO_PER_USD, api: Scripted | None = None) -> None:
        self.api, self.clock, self.books, self.purse = api or Scripted(), Timeless(), Books(), Purse(cap_pico)
        places = Places(data_dir=folder)
        self.answers, self.folder = Answers(places), Folder(places.batches)
        self.said: list[str] = []
        self.suite = suite(1)
        self.batching = Batching(
            api=cast(BatchApi, self.api),
            keep=(self.answers, self.folder, cast(Ledger, self.books)),
            purse_of=lambda _: self.purse,
            rules=RULES,
            clock=self.clock,
            say=self.said.append,
        )

    async def fetch(self, *keys: str) -> None:
        await self.batching.fetch(self.suite, [self.question(key) for key in keys])

    def question(self, key: str) -> Question:
        ready = msgspec.structs.replace(question().ready, worst_pico=2 * HELD_PICO)
        return msgspec.structs.replace(question(), key=key, ready=ready, worst_pico=2 * HELD_PICO)

    def known(self, *keys: str) -> list[bool]:
        return [self.answers.find(key) is not None for key in keys]


async def test_it_waits_longer_and_longer_until_the_batch_has_ended(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.api.polls["msgbatch_0"] = [seen("msgbatch_0", 2 - done, done) for done in (0, 1, 1)]
    await scene.fetch("aa", "bb")
    assert [POLL_S, POLL_S * 1.5, POLL_S * 1.5**2] == scene.clock.slept
    assert "batch msgbatch_0: 1 of 2 are done; a stop now loses nothing" == scene.said[1]
    assert [True, True] == scene.known("aa", "bb")
    assert [] == scene.folder.all()


async def test_what_came_to_nothing_is_asked_again_and_at_most_twice(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.api.say = lambda key: good(key) if key == "aa" or (key == "bb" and len(scene.api.created) == 2) else bad(key)
    with pytest.raises(CallFailed, match="sums: 1 items of its batches came to nothing 3 times"):
        await scene.fetch("aa", "bb", "cc")
    assert [["aa", "bb", "cc"], ["bb", "cc"], ["cc"]] == scene.api.created
    assert [True, True, False] == scene.known("aa", "bb", "cc")
    assert 2 == len(scene.books.rows)


async def test_what_the_api_refuses_is_not_asked_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.api.say = lambda key: bad(key, "errored", "invalid_request_error")
    with pytest.raises(CallFailed, match="sums, case s-1: the API refuses it: no good"):
        await scene.fetch("aa")
    assert 1 == len(scene.api.created)


async def test_a_creation_whose_answer_was_lost_is_looked_for_before_it_is_made_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.api.lost = BatchTrouble("the API was not reached: APITimeoutError")
    scene.api.others = [seen("msgbatch_another_team", 0, 2)]
    scene.api.ends["msgbatch_another_team"] = [good("zz"), good("yy")]
    await scene.fetch("aa", "bb")
    assert [["aa", "bb"]] == scene.api.created
    assert [True, True] == scene.known("aa", "bb")


LOST = "the API does not list the batch of 1 calls that it was sent; it may yet, .* 10 minutes have passed: run again"


async def test_a_creation_that_is_listed_late_is_found_by_a_later_run_and_not_paid_twice(tmp_path: Path) -> None:
    before = Scene(tmp_path)
    before.api.lost, before.api.listed = BatchTrouble("the API answered 500"), False
    with pytest.raises(Halted, match=f"the batch of sums: the API answered 500, and {LOST}"):
        await before.fetch("aa")
    assert (HELD_PICO, 0) == (before.purse.spent_pico, before.purse.held_pico)  # it may have been made
    after = Scene(tmp_path, api=before.api)
    with pytest.raises(Halted, match=f"the batch of sums: {LOST}"):
        await after.fetch("aa")
    before.api.listed = True
    await after.fetch("aa")
    assert [["aa"]] == before.api.created
    assert ([True], []) == (after.known("aa"), after.folder.all())


async def test_a_creation_that_is_not_listed_ten_minutes_later_never_arrived(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.api.lost, scene.api.arrives = BatchTrouble("the API answered 500"), False
    with pytest.raises(Halted, match=LOST):
        await scene.fetch("aa")
    scene.clock.at_ms += LISTED_BY_MS - 1
    with pytest.raises(Halted, match=LOST):
        await scene.fetch("aa")
    scene.clock.at_ms += 1
    await scene.fetch("aa")
    assert ([["aa"]], [True], []) == (scene.api.created, scene.known("aa"), scene.folder.all())


async def test_a_creation_without_a_connection_was_never_sent() -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        client = open_client(base_url=url, api_key="test-key", auth_token=None, connections=1, caps=DEFAULT_CAPS)
        try:
            with pytest.raises(NotCreated, match="the API was not reached"):
                await BatchApi(client).create([("aa", b"{}")])
        finally:
            await client.close()


async def test_a_refused_creation_owes_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.api.lost, scene.api.arrives = NotCreated("the API answered 401"), False
    with pytest.raises(Halted, match="the API answered 401"):
        await scene.fetch("aa")
    assert (0, []) == (scene.purse.spent_pico, scene.folder.all())


async def test_a_batch_that_is_on_its_way_is_taken_up_by_the_next_run(tmp_path: Path) -> None:
    before = Scene(tmp_path)
    before.api.polls["msgbatch_0"] = [BatchTrouble("the API was not reached")]
    with pytest.raises(Halted, match="the batch of sums: the API was not reached"):
        await before.fetch("aa", "bb")
    after = Scene(tmp_path)
    after.api.ends = before.api.ends
    after.api.created = before.api.created
    await after.fetch("aa", "bb")
    assert [["aa", "bb"]] == after.api.created
    assert ["a batch of 2 calls from an earlier run is taken up again"] == after.said
    assert after.purse.spent_pico == sum(row.cost_pico for row in after.books.rows.values()) > 0


async def test_a_batch_that_the_api_has_forgotten_is_asked_for_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.api.polls["msgbatch_0"] = [Gone("the API answered 404")]
    await scene.fetch("aa")
    assert [["aa"], ["aa"]] == scene.api.created


async def test_a_cap_makes_smaller_batches(tmp_path: Path) -> None:
    scene = Scene(tmp_path, cap_pico=HELD_PICO * 5 // 2)
    await scene.fetch("aa", "bb", "cc")
    assert [["aa", "bb"], ["cc"]] == scene.api.created


async def test_a_cap_that_allows_no_item_stops_before_anything_is_made(tmp_path: Path) -> None:
    scene = Scene(tmp_path, cap_pico=HELD_PICO - 1)
    with pytest.raises(Halted, match=r"the cap of \$0.50 is reached"):
        await scene.fetch("aa")
    assert [] == scene.api.created


async def test_a_note_that_cannot_be_read_stops_the_run_before_anything_is_paid_twice(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (tmp_path / "evals" / "batches" / "batch_1.json").write_bytes(b'{"name": "bat')
    with pytest.raises(Halted, match="a batch was on its way, and this note of it cannot be read"):
        await scene.fetch("aa")
    assert [] == scene.api.created


def test_a_pending_batch_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    pending = Pending(name="batch_1", batch_id="msgbatch_1", at_ms=5, items=())
    Folder(tmp_path).keep(pending)
    assert [pending] == Folder(tmp_path).all()
    fields: dict[str, Any] = msgspec.json.decode((tmp_path / "batch_1.json").read_bytes())
    assert "msgbatch_1" == fields["batch_id"]
