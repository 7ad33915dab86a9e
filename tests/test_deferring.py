"""What is put off is durable, runs later as the same request in the background, and gets exactly one answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from router.decide.hooks import JOB_BACKOFF_S_MAX, job_wait_s
from router.decide.policy.conditions import Rule, When
from router.deferring import Deferring
from router.errors import RequestError
from router.ledger.jobs import StoredJobs
from router.putting import accepted
from router.vocabulary import Caller, Door, Job, JobState, Workload
from router.wire.ask import read_messages

from .api.street import until
from .jobscene import ANSWER, CALLER, ask, rules, scene
from .rulebooks import default_rules

pytestmark = pytest.mark.anyio


async def test_a_job_runs_as_the_same_request_in_the_background_and_cannot_be_put_off_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        job = await it.deferring.defer(ask(max_tokens=7), CALLER)
        async with it.running():
            done = await it.ends(job)
        ((again, caller),) = it.asked
        assert msgspec.structs.replace(CALLER, job=True) == caller
        assert (ask(max_tokens=7).raw, 7, "general") == (again.raw, again.facts.max_tokens, again.words.task)
        words = (again.words.workload, again.words.fallback, again.words.deadline_s, again.words.feature)
        assert (Workload.BACKGROUND, "auto", None, "mail") == words
        assert (JobState.DONE, 200) == (done.state, done.status)
        assert (ANSWER.headers, ANSWER.body) == (done.answer_headers, done.answer)
        with pytest.raises(RequestError) as refused:
            await it.deferring.defer(again, caller)
        assert "router_all_tiers_down" == refused.value.code


async def test_of_the_headers_only_those_are_kept_that_reading_needs_and_no_secret(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        job = await it.deferring.defer(ask(), CALLER)
        assert (("anthropic-beta", "b-1"), ("x-router-feature", "mail")) == job.headers
        on_disk = bytes_in(tmp_path)
        assert b"Later, please." in on_disk
        assert b"Bearer" not in on_disk


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


async def test_a_header_that_a_rule_of_the_policy_reads_is_kept_too(tmp_path: Path) -> None:
    found = default_rules()
    rule = Rule(name="r", when=When(header={"x-team": ("red",)}), tier="haiku")
    policy = replace(found.policy, rules=(rule,))
    async with scene(tmp_path, lambda: replace(found, policy=policy)) as it:
        job = await it.deferring.defer(ask(), CALLER)
        assert ("x-team", "red") in job.headers


async def test_a_stream_is_put_off_as_a_whole_message(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        job = await it.deferring.defer(ask(stream=True), CALLER)
        async with it.running():
            await it.ends(job)
        assert [False] == [again.facts.stream for again, _ in it.asked]
        assert b"stream" not in it.asked[0][0].raw


async def test_a_request_of_the_other_door_is_read_as_one(tmp_path: Path) -> None:
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    async with scene(tmp_path) as it:
        asked = read_messages(msgspec.json.encode(body), {"x-router-fallback": "defer"})
        job = await it.deferring.defer(asked, CALLER)
        async with it.running():
            await it.ends(job)
        assert [(Door.MESSAGES, asked.raw)] == [(again.door, again.raw) for again, _ in it.asked]


async def test_the_202_tells_where_to_ask(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        job = await it.deferring.defer(ask(), CALLER)
        told = accepted(job)
        url = f"/jobs/{job.job_id}"
        fields = {"type": "job", "id": job.job_id, "status": "queued", "url": url, "request_id": "req_1"}
        assert (202, fields) == (told.status, msgspec.json.decode(told.body))
        assert {("location", url), ("retry-after", "5")} < set(told.headers)


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("router_rate_limited", True),
        ("router_tier_overloaded", True),
        ("router_all_tiers_down", True),
        ("router_upstream_slow", True),
        ("router_bad_upstream", True),
        ("router_budget", False),
        ("router_unsupported", False),
        ("router_internal", False),
    ],
)
async def test_what_may_pass_is_tried_again_and_what_stays_wrong_fails(tmp_path: Path, code: str, again: bool) -> None:
    async with scene(tmp_path) as it:
        it.script = [RequestError(code, "scripted")]
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            done = await it.ends(job)
        ended = (2, JobState.DONE, "") if again else (1, JobState.FAILED, code)
        assert ended == (len(it.asked), done.state, done.error)


async def test_a_failed_job_keeps_its_error_in_the_one_shape(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.script = [RequestError("router_budget", "spent")]
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            failed = await it.ends(job)
        told = msgspec.json.decode(failed.answer)
        assert (402, "req_1") == (failed.status, told["request_id"])
        assert "router_budget" == told["error"]["details"]["error_code"]


async def test_a_fault_of_ours_fails_its_job_and_no_other_and_is_told_without_its_words(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.script = [ValueError("Later, please."), ANSWER]
        first, second = [await it.deferring.defer(ask(), CALLER) for _ in range(2)]
        async with it.running():
            ends = [await it.ends(first), await it.ends(second)]
        assert [JobState.FAILED, JobState.DONE] == sorted((one.state for one in ends), reverse=True)
        assert "Later" not in repr(it.events.said)
        assert ["job_failed"] == [event for event, _ in it.events.said]


async def test_a_retry_waits_at_least_as_long_as_the_api_asked(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.script = [RequestError("router_rate_limited", "wait", retry_after_s=50)]
        began_ms = it.clock.now_ms()
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            done = await it.ends(job)
        assert (JobState.DONE, 2) == (done.state, done.tries)
        assert done.answered_ms - began_ms >= 50_000


def test_waits_are_full_jitter_between_a_second_and_a_minute() -> None:
    assert [1.0, 2.0, 32.0, 60.0, 60.0] == [job_wait_s(tries, 1.0) for tries in (0, 1, 5, 6, 5000)]
    assert [1.0, 30.0, 90.0] == [job_wait_s(9, 0.0), job_wait_s(9, 0.5), job_wait_s(9, 0.5, floor_s=90)]
    assert JOB_BACKOFF_S_MAX == job_wait_s(10, 1.0)


async def test_a_job_without_an_answer_fails_when_its_time_is_over(tmp_path: Path) -> None:
    async with scene(tmp_path, rules(give_up_s=120.0)) as it:
        it.script = [RequestError("router_tier_overloaded", "full") for _ in range(999)]
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            failed = await it.ends(job)
        assert (JobState.FAILED, "router_tier_overloaded") == (failed.state, failed.error)
        assert 2 < len(it.asked) < 20


async def test_a_job_that_waited_too_long_for_its_turn_is_not_sent_any_more(tmp_path: Path) -> None:
    async with scene(tmp_path, rules(give_up_s=120.0)) as it:
        job = await it.deferring.defer(ask(), CALLER)
        it.clock.now_s += 121
        async with it.running():
            failed = await it.ends(job)
        assert ([], "router_deadline") == (it.asked, failed.error)


async def test_no_more_run_at_once_than_the_policy_says(tmp_path: Path) -> None:
    async with scene(tmp_path, rules(at_once=2)) as it:
        it.script = [asyncio.Event() for _ in range(5)]
        opened = [event for event in it.script if isinstance(event, asyncio.Event)]
        put = [await it.deferring.defer(ask(), CALLER) for _ in range(5)]
        async with it.running():
            await until(lambda: len(it.asked) == 2)
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert 2 == len(it.asked)
            for event in opened:
                event.set()
            assert {JobState.DONE} == {(await it.ends(job)).state for job in put}


async def test_cancelling_a_queued_job_ends_it_unsent(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        job = await it.deferring.defer(ask(), CALLER)
        assert JobState.CANCELLED is (await it.deferring.cancel(job.job_id, CALLER)).state
        other = await it.deferring.defer(ask("another"), CALLER)
        async with it.running():
            await it.ends(other)
        assert 1 == len(it.asked)


async def test_cancelling_a_running_job_ends_its_call(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.script = [asyncio.Event()]
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            await until(lambda: len(it.asked) == 1)
            await it.deferring.cancel(job.job_id, CALLER)
            await until(lambda: it.ended == 1)
            assert JobState.CANCELLED is (await it.deferring.cancel(job.job_id, CALLER)).state
        assert JobState.CANCELLED is (await it.deferring.status(job.job_id, CALLER)).state


async def test_a_job_cancelled_elsewhere_is_noticed_with_the_next_beat(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.script = [asyncio.Event()]
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            await until(lambda: len(it.asked) == 1)
            await it.jobs.cancel(job.job_id, "acme")
            await until(lambda: it.ended == 1)


async def test_another_tenants_job_is_as_unknown_as_one_that_never_was(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        job = await it.deferring.defer(ask(), CALLER)
        stranger = Caller(tenant="other", request_id="req_2")
        turns = [(turn, *who) for turn in (it.deferring.status, it.deferring.cancel)
                 for who in ((job.job_id, stranger), ("job_never", CALLER), ("\udcff", CALLER))]  # fmt: skip
        ends = await asyncio.gather(*(turn(job_id, who) for turn, job_id, who in turns), return_exceptions=True)
        told = {(end.code, end.message) for end in ends if isinstance(end, RequestError)}
        assert (6, 1, "router_job_unknown") == (len(ends), len(told), told.pop()[0])
        assert JobState.QUEUED is (await it.deferring.status(job.job_id, CALLER)).state


async def test_a_stop_breaks_a_run_off_and_the_next_process_runs_it_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        it.script = [asyncio.Event()]
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            await until(lambda: len(it.asked) == 1)
        assert (1, JobState.QUEUED) == (it.ended, (await it.deferring.status(job.job_id, CALLER)).state)
    async with scene(tmp_path) as next_one, next_one.running():
        assert (JobState.DONE, 2) == ((done := await next_one.ends(job)).state, done.tries)


async def test_when_there_is_no_room_the_caller_is_told(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        full = Deferring(
            store=StoredJobs(it.database, queued_max=0),
            rules=default_rules,
            secret=str,
            clock=it.clock,
            events=it.events,
        )
        with pytest.raises(RequestError) as refused:
            await full.defer(ask(), CALLER)
        assert ("router_jobs_full", 60) == (refused.value.code, refused.value.retry_after_s)


async def test_an_answer_is_forgotten_when_its_time_is_over(tmp_path: Path) -> None:
    async with scene(tmp_path, rules(keep_s=3600.0)) as it:
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            done = await it.ends(job)
            while await it.jobs.get(job.job_id, "acme") is not None:
                pass
        assert it.clock.now_ms() - done.answered_ms >= 3_600_000


class Fickle(StoredJobs):
    """A store that fails a few times, in whatever it is asked."""

    failures = 4

    async def claim(self, owner: str, limit: int) -> list[Job]:
        self._fail()
        return await super().claim(owner, limit)

    async def finish(self, job: Job) -> bool:
        self._fail()
        return await super().finish(job)

    def _fail(self) -> None:
        self.failures -= 1
        if self.failures % 2:
            raise RequestError("router_ledger_unavailable", "scripted")


async def test_a_store_that_fails_is_asked_again_and_the_answer_is_not_lost(tmp_path: Path) -> None:
    async with scene(tmp_path) as it:
        store = Fickle(it.database)
        it.deferring = Deferring(store=store, rules=default_rules, secret=str, clock=it.clock, events=it.events)
        job = await it.deferring.defer(ask(), CALLER)
        async with it.running():
            done = await it.ends(job)
        assert (JobState.DONE, ANSWER.body, 1) == (done.state, done.answer, len(it.asked))
        assert 2 <= it.events.counts.count(("jobs", "store_failed"))
