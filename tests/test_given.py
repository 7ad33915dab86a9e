"""Answers that no call is made for: kept ones, fresh and stale, and canned ones, at both doors, whole and streamed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from router.decide.policy import Rulebook
from router.errors import RequestError
from router.serving import Served
from router.vocabulary import Caller, Outcome, OutcomeKind
from router.wire.ask import read_complete, read_messages

from .rulebooks import rules_from
from .test_pipeline import CALLER, ask_complete, ask_messages, complete, drained, header, messages, router_of
from .worlds import ScriptedAnswer, World, answered, events, failed, message, streamed

K = OutcomeKind
TIERS = "tiers: {haiku: {model: claude-haiku-5-5}, sonnet: {model: claude-sonnet-5-5}}\n"
KEPT = TIERS + "replies: {ttl_s: 60, stale_s: 600}\nfallbacks: {canned: 'Sorry. ({request_id})'}\n"
DOWN = [failed(K.SPEND_LIMITED, 429, body=b'{"type":"error","error":{"type":"rate_limit_error"}}')]


def world_of(text: str, folder: Path, *script: ScriptedAnswer) -> World:
    rules: Rulebook = rules_from(text, folder)
    return World(*script, rules=lambda: rules)


@pytest.mark.anyio
async def test_an_equal_request_is_answered_again_without_a_call(tmp_path: Path) -> None:
    world = world_of(KEPT, tmp_path, answered("Paris."))
    first = await ask_messages(world)
    world.clock.now_s += 30
    second = await ask_messages(world)
    assert second.body == first.body
    assert (header(second, "x-router-served-by"), header(second, "age")) == ("cache", "30")
    assert (header(second, "cache-status"), header(first, "cache-status")) == (
        "tierwise; hit",
        "tierwise; fwd=miss",
    )
    assert header(second, "x-router-cost-usd") == "0"
    assert [row.role for row in world.ledger.rows] == ["answer", "cache"]
    assert [row.cost_pico for row in world.ledger.rows][1] == 0


@pytest.mark.anyio
async def test_on_complete_the_receipt_says_where_it_is_from_and_how_old_it_is(tmp_path: Path) -> None:
    world = world_of(KEPT, tmp_path, answered("Paris."))
    await ask_complete(world)
    world.clock.now_s += 5
    router = router_of(await ask_complete(world))
    assert (router["served_by"], router["age_s"], router["degraded"]) == ("cache", 5, False)
    assert (router["cost_usd"], router["attempts"]) == ("0", [])


@pytest.mark.anyio
async def test_after_its_time_it_is_asked_again_and_only_when_nobody_answers_it_is_given_stale(tmp_path: Path) -> None:
    world = world_of(KEPT, tmp_path, answered("Old."), answered("New."), *DOWN)
    await ask_complete(world)
    world.clock.now_s += 61
    assert b"New." in (await ask_complete(world)).body
    world.clock.now_s += 61
    served = await ask_complete(world)
    router = router_of(served)
    assert b"New." in served.body
    assert (router["served_by"], router["degraded"], router["age_s"]) == ("stale", True, 61)
    assert router["warnings"] == ["no model answered: spend_limited, and nothing is left to try"]
    assert world.steering.watched[-1].degraded


@pytest.mark.anyio
async def test_after_both_times_it_is_gone(tmp_path: Path) -> None:
    world = world_of(KEPT, tmp_path, answered("Old."), *DOWN)
    await ask_complete(world)
    world.clock.now_s += 661
    assert router_of(await ask_complete(world))["served_by"] == "canned"


@pytest.mark.anyio
async def test_a_stream_is_kept_and_given_again_in_either_form(tmp_path: Path) -> None:
    frames = events("Par", "is.", model="claude-sonnet-5-5")
    world = world_of(KEPT, tmp_path, streamed(*frames))
    await drained(await ask_messages(world, stream=True))
    again = await drained(await ask_messages(world, stream=True))
    whole = msgspec.json.decode((await ask_messages(world)).body)
    assert whole["content"] == [{"type": "text", "text": "Paris."}]
    assert [b"message_start" in again, b"Paris." in again, again.count(b"message_stop") > 0] == [True] * 3


@pytest.mark.anyio
async def test_a_stream_that_broke_is_never_kept(tmp_path: Path) -> None:
    world = world_of(KEPT, tmp_path, streamed(*events("Par", "is")[:4], Outcome(kind=K.CUT)), answered())
    await drained(await ask_messages(world, stream=True))
    assert header(await ask_messages(world), "x-router-served-by") == "model"


@pytest.mark.parametrize(
    "answer",
    [message("No.", stop="refusal"), message("Cut", stop="max_tokens"), message(""), message("x", stop="tool_use")],
)
@pytest.mark.anyio
async def test_what_is_no_whole_answer_is_never_given_again(answer: bytes, tmp_path: Path) -> None:
    world = world_of(KEPT, tmp_path, ScriptedAnswer(body=answer), answered())
    await ask_messages(world)
    assert header(await ask_messages(world), "x-router-served-by") == "model"


@pytest.mark.parametrize(("word", "calls"), [("use", 1), ("refresh", 2), ("off", 2)])
@pytest.mark.anyio
async def test_a_caller_may_have_it_anew(word: str, calls: int, tmp_path: Path) -> None:
    world = world_of(KEPT, tmp_path, answered(), answered())
    await ask_messages(world)
    await world.pipeline.handle(read_messages(messages(), {"x-router-cache": word}), CALLER)
    assert len(world.upstream.calls) == calls


@pytest.mark.anyio
async def test_another_tenant_is_never_given_it(tmp_path: Path) -> None:
    world = world_of(KEPT, tmp_path, answered("Ours."), answered("Theirs."))
    await ask_messages(world)
    other = await world.pipeline.handle(read_messages(messages(), {}), Caller(tenant="other", request_id="req_2"))
    assert b"Theirs." in other.body


@pytest.mark.anyio
async def test_it_is_shared_where_the_policy_says_so(tmp_path: Path) -> None:
    world = world_of(KEPT.replace("ttl_s: 60", "shared: true, ttl_s: 60"), tmp_path, answered("Everybody's."))
    await ask_messages(world)
    other = await world.pipeline.handle(read_messages(messages(), {}), Caller(tenant="other", request_id="req_2"))
    assert b"Everybody's." in other.body


@pytest.mark.anyio
async def test_nearly_the_same_question_is_answered_only_where_the_policy_says_so(tmp_path: Path) -> None:
    one = "Which opening hours does the shop in the station have on Sundays in winter, please?"
    other = "Which opening hours does the shop in the station have on  Sundays in winter please"
    opposite = one.replace("does", "does not").replace("have", "have not")
    text = KEPT + "replies: {ttl_s: 60, stale_s: 600, similar: {mode: use, threshold: 0.7}}\n"
    world = world_of(
        text.replace("replies: {ttl_s: 60, stale_s: 600}\n", "", 1), tmp_path, answered("Ten."), answered()
    )
    await ask_complete(world, prompt=one)
    assert router_of(await ask_complete(world, prompt=other))["served_by"] == "cache"
    assert router_of(await ask_complete(world, prompt=opposite))["served_by"] == "model"


# canned replies

CANNED = (
    TIERS
    + """
tasks:
  chat: {}
  label: {output: {type: enum, values: [spam, ham]}, canned: '{"answer": "ham"}'}
  data: {output: {type: json}}
default: {tier: sonnet, task: chat}
fallbacks:
  canned: "Sorry. ({request_id})"
  canned_in: {de: "Verzeihung. ({request_id})", pt-BR: Desculpe.}
"""
)


async def canned(world: World, language: str = "", **fields: object) -> Served:
    ask = read_complete(complete(**fields), {"accept-language": language})
    return await world.pipeline.handle(ask, CALLER)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("", "Sorry. (req_1)"),
        ("de-CH, en;q=0.5", "Verzeihung. (req_1)"),
        ("fr, de;q=0.9", "Verzeihung. (req_1)"),
        ("en, de;q=0.9", "Sorry. (req_1)"),
        ("pt-br", "Desculpe."),
        ("ja", "Sorry. (req_1)"),
        ("de;q=0, ;;q=x,,", "Sorry. (req_1)"),
    ],
)
@pytest.mark.anyio
async def test_a_canned_reply_is_in_the_caller_s_language(language: str, text: str, tmp_path: Path) -> None:
    served = await canned(world_of(CANNED, tmp_path, *DOWN), language)
    assert msgspec.json.decode(served.body)["content"] == [{"type": "text", "text": text}]
    assert header(served, "x-router-served-by") == "canned"


@pytest.mark.anyio
async def test_a_json_task_has_json_of_its_own_or_an_honest_error(tmp_path: Path) -> None:
    world = world_of(CANNED, tmp_path, *DOWN, *DOWN)
    served = await canned(world, router={"task": "label"})
    assert msgspec.json.decode(served.body)["content"][0]["text"] == '{"answer": "ham"}'
    with pytest.raises(RequestError):
        await canned(world, router={"task": "data"})


@pytest.mark.anyio
async def test_on_messages_it_answers_only_where_the_policy_says_so(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="spend limit"):
        await ask_messages(world_of(CANNED, tmp_path, *DOWN))
    both = CANNED + "  canned_on: [complete, messages]\n"
    served = await ask_messages(world_of(both, tmp_path, *DOWN))
    assert (served.status, header(served, "x-router-fallback")) == (200, "canned")
    assert "router" not in msgspec.json.decode(served.body)


@pytest.mark.anyio
async def test_it_is_streamed_when_a_stream_was_asked(tmp_path: Path) -> None:
    text = (await drained(await canned(world_of(CANNED, tmp_path, *DOWN), stream=True))).decode()
    order = ["event: router", "message_start", "content_block_start", "Sorry. (req_1)", "message_stop", "event: router"]
    places = [text.find(mark) for mark in order[:-1]]
    assert places == sorted(places)
    assert text.rstrip().rfind("event: router") > text.find("message_stop")
