"""Rows 36 and 37 of the pains: an answer to another question, and an answer of somebody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ..upstream.rawserver import JSON, error
from .api import says
from .caller import SECRET, Told, asked, prompt
from .street import CALM, HAIKU, OPUS, SONNET, Mother, Scripted, over, scripted

pytestmark = pytest.mark.anyio

ALICE, BOB = "the-secret-key-of-alice", "the-secret-key-of-bob"
KEEPING = {"replies": {"ttl_s": 600, "stale_s": 3600}}
NEAR = {"replies": {**KEEPING["replies"], "similar": {"mode": "use", "threshold": 0.5}}}
OPPOSITES = [
    ("Should I take this medicine before meals?", "Should I take this medicine after meals?"),
    ("Is the shop open on Sundays?", "Is the shop closed on Sundays?"),
    ("May I drink alcohol with this tablet?", "May I drink alcohol without this tablet?"),
    ("Can I cancel my order today?", "Can't I cancel my order today?"),
    ("Is it safe to mix bleach and vinegar?", "Is it unsafe to mix bleach and vinegar?"),
    ("Do I need a visa for Japan?", "Do I not need a visa for Japan?"),
    ("How do I turn the alarm on?", "How do I turn the alarm off?"),
    ("Which plan costs more than 20 euros?", "Which plan costs more than 200 euros?"),
    ("Which plan costs more?", "Which plan costs less?"),
    ("Did Alice pay Bob?", "Did Bob pay Alice?"),
    ("Convert miles to kilometres, please.", "Convert kilometres to miles, please."),
    ("Ist das Kabel mit Stecker?", "Ist das Kabel ohne Stecker?"),
]


@pytest.fixture(scope="module")
async def near(mother: Mother, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scripted]:
    async with scripted(mother, tmp_path_factory.mktemp("near"), over(CALM, NEAR)) as street:
        yield street


@pytest.fixture(scope="module")
async def keeping(mother: Mother, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scripted]:
    keys = {"TIERWISE_KEYS": f"alice:{ALICE},bob:{BOB}"}
    async with scripted(mother, tmp_path_factory.mktemp("keeping"), over(CALM, KEEPING), **keys) as street:
        yield street


def question(text: str) -> dict[str, object]:
    return {"prompt": text, "model": "sonnet"}


@pytest.mark.parametrize("pair", OPPOSITES, ids=lambda pair: pair[1])
async def test_36_the_opposite_question_never_gets_the_answer(near: Scripted, pair: tuple[str, str]) -> None:
    """At a threshold far below any that one would use; neither while all is well nor in an outage."""
    near.api.fresh()
    one, other = [await near.front.complete(question(text)) for text in pair]
    assert [told.router["served_by"] for told in (one, other)] == ["model", "model"]
    elsewhere = {"system": "In an outage."}
    assert (await near.front.complete({**question(pair[0]), **elsewhere})).status == 200
    for model in (HAIKU, SONNET, OPUS):
        near.api.on(model, says(500, error("api_error")))
    own, turned = [await near.front.complete({**question(text), **elsewhere}) for text in pair]
    assert (own.router["served_by"], turned.status, turned.code) == ("cache", 503, "router_all_tiers_down")


async def test_36_but_the_same_question_in_other_dress_does_and_says_so(near: Scripted) -> None:
    near.api.fresh()
    texts = ("Please tell me where my parcel is right now.", "please tell me where my parcel is, right now?")
    first, second = [await near.front.complete(question(text)) for text in texts]
    assert (first.router["served_by"], second.router["served_by"]) == ("model", "cache")
    assert (second.router["age_s"] >= 0, len(near.api.models)) == (True, 1)


@pytest.mark.parametrize("texts", [("Is it open now?", "Is it open now ?"), ("is it open", "Is it open")])
async def test_36_as_it_comes_only_the_very_same_question_is_the_same(
    keeping: Scripted, texts: tuple[str, str]
) -> None:
    keeping.api.fresh()
    told = [await keeping.front.complete(question(text), x_api_key=ALICE) for text in (*texts, *texts)]
    assert [one.router["served_by"] for one in told] == ["model", "model", "cache", "cache"]


TURNS = [{"role": "user", "content": "First?"}, {"role": "assistant", "content": "Yes."}]
FULL: dict[str, Any] = {
    "messages": [*TURNS, {"role": "user", "content": [{"type": "text", "text": f"And then? {SECRET}"}]}],
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "low"},
    "metadata": {"user_id": "u1"},
    "stop_sequences": ["END"],
    "service_tier": "auto",
}
CHANGED: dict[str, dict[str, Any]] = {
    "max_tokens": {"max_tokens": 201},
    "model": {"model": "haiku"},
    "thinking": {"thinking": {"type": "disabled"}},
    "effort": {"output_config": {"effort": "medium"}},
    "user": {"metadata": {"user_id": "u2"}},
    "stop": {"stop_sequences": ["STOP"]},
    "service_tier": {"service_tier": "standard_only"},
    "system": {"system": [{"type": "text", "text": "Be brief!", "cache_control": {"type": "ephemeral"}}]},
    "system_mark": {"system": [{"type": "text", "text": "Be brief."}]},
    "earlier_turn": {"messages": [{"role": "user", "content": "Other?"}, *FULL["messages"][1:]]},
    "earlier_answer": {"messages": [TURNS[0], {"role": "assistant", "content": "No."}, FULL["messages"][2]]},
    "last_turn": {"messages": [*TURNS, {"role": "user", "content": [{"type": "text", "text": "And now?"}]}]},
    "form_of_a_turn": {"messages": [*TURNS, {"role": "user", "content": f"And then? {SECRET}"}]},
    "tools": {"tools": [{"name": "look", "input_schema": {"type": "object"}}]},
    "unknown_field": {"brand_new": 1},
}
OTHER_HEADERS: dict[str, dict[str, str]] = {
    "tenant": {"x_api_key": BOB},
    "beta": {"anthropic_beta": "something-new-2026-11-01"},
    "version": {"anthropic_version": "2026-10-21"},
    "task": {"x_router_task": "canned"},
    "feature": {"x_router_feature": "search"},
}


async def served_by(street: Scripted, fields: dict[str, object], **headers: str) -> str:
    told: Told = await street.front.messages(asked(**fields), **{"x_api_key": ALICE, **headers})
    assert told.status == 200, told.body
    return told.headers["x-router-served-by"]


@pytest.mark.parametrize("what", [*CHANGED, *OTHER_HEADERS])
async def test_37_whatever_an_answer_can_hang_on_makes_another_request(keeping: Scripted, what: str) -> None:
    keeping.api.fresh()
    await served_by(keeping, FULL)
    assert await served_by(keeping, FULL) == "cache"
    calls = len(keeping.api.models)
    assert await served_by(keeping, {**FULL, **CHANGED.get(what, {})}, **OTHER_HEADERS.get(what, {})) == "model"
    assert len(keeping.api.models) == calls + 1


async def test_37_no_tenant_gets_anothers_answer_in_an_outage_either(keeping: Scripted) -> None:
    keeping.api.fresh()
    fields = prompt("Whose is this?")
    keeping.api.on(SONNET, says(200, error("x")))
    assert (await keeping.front.complete(fields, x_api_key=ALICE)).router["model"] == OPUS
    for model in (HAIKU, SONNET, OPUS):
        keeping.api.on(model, says(529, error("overloaded_error"), JSON))
    own, other = [await keeping.front.complete(fields, x_api_key=key) for key in (ALICE, BOB)]
    assert (own.router["served_by"], other.status) == ("cache", 529)
    assert await keeping.front.counter("tierwise_reply_isolation_total") == 0
