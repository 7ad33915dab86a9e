"""The story from body to reply, with the world scripted around it."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from router.errors import RequestError
from router.serving import Served
from router.vocabulary import Caller, Difficulty, OutcomeKind, Verdict
from router.wire.ask import read_complete, read_messages

from .worlds import World, answered, events, failed, message, streamed

K = OutcomeKind
CALLER = Caller(tenant="acme", request_id="req_1")
SIMPLE = Verdict(task="question", difficulty=Difficulty.SIMPLE, source="classifier")


def complete(**fields: object) -> bytes:
    return msgspec.json.encode({"prompt": "What is the capital of France?", **fields})


def messages(**fields: object) -> bytes:
    turn = {"role": "user", "content": "What is the capital of France?"}
    return msgspec.json.encode({"model": "claude-auto", "max_tokens": 100, "messages": [turn], **fields})


async def ask_complete(world: World, **fields: object) -> Served:
    return await world.pipeline.handle(read_complete(complete(**fields), {}), CALLER)


async def ask_messages(world: World, **fields: object) -> Served:
    return await world.pipeline.handle(read_messages(messages(**fields), {}), CALLER)


async def drained(served: Served) -> bytes:
    assert served.chunks is not None
    return b"".join([chunk async for chunk in served.chunks])


def header(served: Served, name: str) -> str | None:
    return dict(served.headers).get(name)


def router_of(served: Served) -> dict[str, object]:
    found = msgspec.json.decode(served.body)["router"]
    assert isinstance(found, dict)
    return found


@pytest.mark.anyio
async def test_a_simple_question_goes_to_haiku_and_the_reply_says_why() -> None:
    world = World(answered(model="claude-haiku-5-5"), verdict=SIMPLE)
    router = router_of(await ask_complete(world))
    assert (router["model"], router["tier"], router["task"]) == ("claude-haiku-5-5", "haiku", "question")
    assert router["reason"] == "question, simple: the policy sends it to haiku"
    assert (router["served_by"], router["degraded"], router["outcome"]) == ("model", False, "answered")
    # 100 tokens in at 0.10, 10 out at 0.50 USD a million
    assert router["cost_usd"] == "0.000015"


@pytest.mark.anyio
async def test_on_the_messages_door_the_body_is_the_apis_own_bytes() -> None:
    world = World(answered("Paris."))
    served = await ask_messages(world)
    assert served.body == message("Paris.")
    assert header(served, "request-id") == "up_1"
    assert header(served, "x-router-tier") == "sonnet"


@pytest.mark.anyio
async def test_a_named_model_is_sent_as_the_very_bytes_that_came_and_nobody_is_asked() -> None:
    world = World(answered())
    body = messages(model="claude-sonnet-5-5", something_new={"kept": [1, 2]})
    await world.pipeline.handle(read_messages(body, {}), CALLER)
    assert (world.upstream.calls[0].body, world.classifier.questions) == (body, [])


@pytest.mark.anyio
async def test_an_attempt_is_intended_with_its_worst_cost_before_it_is_settled_with_its_cost() -> None:
    world = World(answered())
    await ask_complete(world, router={"feature": "chat", "user": "u1"})
    intent, row = world.ledger.intents[0], world.ledger.rows[0]
    assert (intent.billed, row.billed, row.outcome) == ("intent", "settled", "answered")
    assert (row.feature, row.user, row.tenant, row.request_id) == ("chat", "u1", "acme", "req_1")
    assert 0 < row.cost_pico < intent.worst_pico


@pytest.mark.anyio
async def test_an_overloaded_model_is_followed_by_the_next_and_the_answer_says_so() -> None:
    world = World(failed(K.OVERLOADED, 529), answered(model="claude-opus-5-5"))
    router = router_of(await ask_complete(world))
    assert world.upstream.models == ["claude-sonnet-5-5", "claude-opus-5-5"]
    assert (router["model"], router["degraded"]) == ("claude-opus-5-5", True)
    assert [row.billed for row in world.ledger.rows] == ["void", "settled"]


@pytest.mark.anyio
async def test_a_told_wait_is_slept_in_full() -> None:
    world = World(failed(K.RATE_LIMITED, 429, retry_after_s=1.0), answered())
    await ask_complete(world)
    assert world.clock.slept == [1.05]
    assert world.upstream.models == ["claude-sonnet-5-5"] * 2


@pytest.mark.anyio
async def test_when_nothing_answers_complete_gets_the_canned_reply_with_the_request_id() -> None:
    world = World(*[failed(K.OVERLOADED, 529)] * 3)
    served = await ask_complete(world)
    reply = msgspec.json.decode(served.body)
    assert (served.status, reply["model"], reply["router"]["served_by"]) == (200, "router/canned", "canned")
    assert "req_1" in reply["content"][0]["text"]
    assert reply["router"]["degraded"] is True


@pytest.mark.anyio
async def test_fallback_off_asks_for_the_honest_error() -> None:
    world = World(failed(K.OVERLOADED, 529))
    with pytest.raises(RequestError) as caught:
        await ask_complete(world, router={"fallback": "off"})
    assert (caught.value.code, caught.value.status) == ("router_tier_overloaded", 529)


@pytest.mark.anyio
async def test_a_model_that_is_slow_past_the_deadline_is_told_apart_from_one_that_is_slow() -> None:
    codes = []
    for passed_s in (1.0, 5.0):
        world = World(failed(K.TIMED_OUT))
        world.upstream.takes_s = passed_s
        world.upstream.clock = world.clock
        with pytest.raises(RequestError) as caught:
            await ask_complete(world, router={"deadline_s": 4, "fallback": "off"})
        codes.append((caught.value.code, caught.value.status))
    assert codes == [("router_upstream_slow", 504), ("router_deadline", 504)]


@pytest.mark.anyio
async def test_on_the_messages_door_the_apis_error_travels_byte_for_byte() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}'
    world = World(*[failed(K.OVERLOADED, 529, body=body)] * 3)
    served = await ask_messages(world, model="sonnet")
    assert (served.status, served.body) == (529, body)
    assert header(served, "x-should-retry") == "false"


@pytest.mark.anyio
async def test_an_error_about_our_own_key_is_never_shown_as_the_callers() -> None:
    world = World(failed(K.AUTHENTICATION, 401, body=b'{"type":"error"}'))
    with pytest.raises(RequestError) as caught:
        await ask_messages(world)
    assert (caught.value.code, caught.value.status) == ("router_upstream_auth", 502)


@pytest.mark.anyio
async def test_a_bad_request_is_not_retried_and_keeps_the_apis_reason() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"messages: too odd"}}'
    world = World(failed(K.BAD_REQUEST, 400, body=body))
    with pytest.raises(RequestError, match="too odd") as caught:
        await ask_complete(world)
    assert (caught.value.status, len(world.upstream.calls)) == (400, 1)


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [
        ("max_tokens", "cut_at_max_tokens"),
        ("refusal", "refused"),
        ("model_context_window_exceeded", "context_exceeded"),
    ],
)
@pytest.mark.anyio
async def test_an_answer_that_is_not_fine_is_never_passed_off_as_fine(stop: str, outcome: str) -> None:
    router = router_of(await ask_complete(World(answered(stop=stop))))
    assert router["outcome"] == outcome
    assert router["warnings"] != []


@pytest.mark.anyio
async def test_an_empty_answer_says_that_it_is_empty() -> None:
    router = router_of(await ask_complete(World(answered(""))))
    assert (router["outcome"], router["warnings"]) == ("empty", ["the answer is empty"])


@pytest.mark.anyio
async def test_a_caller_who_leaves_before_the_answer_leaves_an_unknown_row_at_its_worst_cost() -> None:
    world = World("never")
    task = asyncio.ensure_future(ask_complete(world))
    await world.upstream.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    row = world.ledger.rows[0]
    assert (row.outcome, row.billed, row.cost_pico) == ("caller_gone", "unknown", row.worst_pico)
    assert len(world.events.requests) == 1


@pytest.mark.anyio
async def test_a_very_long_whole_answer_is_streamed_to_us_and_put_together() -> None:
    world = World(streamed(*events("Par", "is.")))
    served = await ask_messages(world, model="claude-sonnet-5-5", max_tokens=64_000)
    reply = msgspec.json.decode(served.body)
    assert msgspec.json.decode(world.upstream.calls[0].body)["stream"] is True
    assert (reply["content"][0]["text"], reply["stop_reason"], reply["usage"]["output_tokens"]) == (
        "Paris.",
        "end_turn",
        10,
    )


@pytest.mark.anyio
async def test_a_conversation_stays_on_the_model_that_began_it() -> None:
    complex_one = Verdict(task="code", difficulty=Difficulty.EDGE_CASE, source="classifier")
    world = World(answered(model="claude-opus-5-5"), answered(model="claude-opus-5-5"), verdict=complex_one)
    opener = {"role": "user", "content": "Design it."}
    await ask_messages(world, messages=[opener])
    world.classifier._verdict = SIMPLE  # the second turn would go to haiku by itself
    turns = [opener, {"role": "assistant", "content": "Done."}, {"role": "user", "content": "thanks"}]
    served = await ask_messages(world, messages=turns)
    assert world.upstream.models == ["claude-opus-5-5"] * 2
    assert "prompt cache is warm" in (header(served, "x-router-reason") or "")


@pytest.mark.anyio
async def test_another_tenants_conversation_is_not_ours() -> None:
    world = World(answered(), answered(model="claude-haiku-5-5"), verdict=SIMPLE)
    await ask_messages(world, model="opus")
    body = messages(messages=[{"role": "user", "content": "a"}], model="auto")
    await world.pipeline.handle(read_messages(body, {}), Caller(tenant="other", request_id="req_2"))
    assert world.upstream.models[1] == "claude-haiku-5-5"


@pytest.mark.anyio
async def test_a_limit_below_the_worst_case_sends_nothing() -> None:
    world = World()
    with pytest.raises(RequestError, match="max_cost_usd"):
        await ask_complete(world, router={"max_cost_usd": "0.0000001"})
    assert (world.upstream.calls, world.ledger.intents) == ([], [])


@pytest.mark.anyio
async def test_the_bytes_of_a_picture_are_not_taken_for_text() -> None:
    picture = {"type": "image", "source": {"data": "A" * 5_000_000, "type": "base64", "media_type": "image/png"}}
    turn = {"role": "user", "content": [picture, {"type": "text", "text": "What is this?"}]}
    told = await World().pipeline.explain(read_messages(messages(messages=[turn]), {}), CALLER)
    facts = told["facts"]
    assert isinstance(facts, dict)
    assert facts["input_tokens_estimate"] < 2_000


@pytest.mark.anyio
async def test_explain_tells_the_whole_decision_and_sends_nothing() -> None:
    world = World(verdict=SIMPLE)
    told = await world.pipeline.explain(read_complete(complete(), {}), CALLER)
    assert (told["tier"], told["reason"]) == ("haiku", "question, simple: the policy sends it to haiku")
    assert (world.upstream.calls, world.ledger.intents) == ([], [])
    ladder = told["ladder"]
    assert isinstance(ladder, list)
    assert [rung["tier"] for rung in ladder] == ["haiku", "sonnet", "opus"]


@pytest.mark.anyio
async def test_the_log_line_of_a_request_holds_no_text() -> None:
    world = World(answered("SECRET ANSWER"), verdict=SIMPLE)
    await ask_complete(world, prompt="SECRET QUESTION")
    line = msgspec.json.encode(world.events.requests[0])
    assert b"SECRET" not in line
    assert b'"feature":null' in line
