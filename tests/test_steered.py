"""The story under rules, measurements, contracts and a candidate in the shadow; and what is noted of it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec
import pytest

from router.decide.policy import Rulebook
from router.errors import RequestError
from router.vocabulary import Caller, Decided, Difficulty, OutcomeKind, Verdict
from router.wire.ask import read_complete, read_messages

from .rulebooks import rules_from
from .test_pipeline import CALLER, SIMPLE, complete, drained, header, messages, router_of
from .worlds import World, answered, events, failed, streamed

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5, siblings: [claude-sonnet-5]}
  opus: {model: claude-opus-5-5}
default: {tier: sonnet, task: general}
tasks:
  general: {description: Anything.}
  question: {description: A question.}
  mail: {description: A mail., output: {type: json}, difficulty: {simple: sonnet, complex: sonnet, edge_case: sonnet}}
rules:
  - {name: cards, when: {matches: "[0-9]{16}"}, refuse: Please send no card numbers.}
  - {name: closed, when: {feature: shop}, canned: "Closed. ({request_id})"}
  - {name: no-haiku, when: {model: claude-haiku-*}, tier: sonnet}
  - {name: long, when: {header: {x-size: long}}, tier: opus}
  - {name: mails, when: {feature: mail-*}, task: mail}
fallbacks: {canned: Sorry.}
"""


@pytest.fixture
def rules(tmp_path: Path) -> Rulebook:
    return rules_from(POLICY, tmp_path)


def world_of(rules: Rulebook, *script: object, verdict: Verdict | None = None) -> World:
    return World(*script, rules=lambda: rules, verdict=verdict)  # type: ignore[arg-type]


def note(world: World) -> Decided:
    (found,) = world.ledger.notes
    assert isinstance(found, Decided)
    return found


@pytest.mark.anyio
async def test_a_rule_refuses_in_the_operators_words_and_nobody_is_asked(rules: Rulebook) -> None:
    world = world_of(rules)
    body = complete(prompt="my card is 4111111111111111")
    with pytest.raises(RequestError) as caught:
        await world.pipeline.handle(read_complete(body, {}), CALLER)
    assert ("router_refused", 403, "Please send no card numbers.") == (
        caught.value.code,
        caught.value.status,
        caught.value.message,
    )
    assert ([], []) == (world.upstream.calls, world.classifier.questions)
    assert ("cards", "the rule cards refuses it") == (note(world).rule, note(world).reason)
    assert ("rule", "nothing_sent") == (world.events.requests[0]["served_by"], world.events.requests[0]["outcome"])


@pytest.mark.anyio
async def test_a_rule_answers_with_its_text_on_both_doors(rules: Rulebook) -> None:
    world = world_of(rules)
    headers = {"x-router-feature": "shop"}
    own = await world.pipeline.handle(read_complete(complete(), headers), CALLER)
    theirs = await world.pipeline.handle(read_messages(messages(), headers), CALLER)
    assert ["Closed. (req_1)"] * 2 == [msgspec.json.decode(one.body)["content"][0]["text"] for one in (own, theirs)]
    assert "router" not in msgspec.json.decode(theirs.body)
    assert "canned" == header(theirs, "x-router-fallback")


@pytest.mark.anyio
async def test_a_canned_rule_streams_where_a_stream_was_asked_for(rules: Rulebook) -> None:
    world = world_of(rules)
    ask = read_messages(messages(stream=True), {"x-router-feature": "shop"})
    assert b"Closed. (req_1)" in await drained(await world.pipeline.handle(ask, CALLER))


@pytest.mark.anyio
async def test_a_rule_overrules_a_named_model_only_when_it_looks_at_the_model(rules: Rulebook) -> None:
    world = world_of(rules, answered(), answered())
    await world.pipeline.handle(read_messages(messages(model="claude-haiku-5-5"), {}), CALLER)
    await world.pipeline.handle(read_messages(messages(model="claude-opus-5-5"), {"x-size": "long"}), CALLER)
    assert ["claude-sonnet-5-5", "claude-opus-5-5"] == world.upstream.models


@pytest.mark.anyio
async def test_a_rule_places_a_request_without_the_classifier(rules: Rulebook) -> None:
    world = world_of(rules, answered(), verdict=SIMPLE)
    served = await world.pipeline.handle(read_complete(complete(), {"x-size": "long"}), CALLER)
    assert ("opus", "long", []) == (router_of(served)["tier"], router_of(served)["rule"], world.classifier.questions)
    assert (("x-size", "long"),) == note(world).headers


@pytest.mark.anyio
async def test_a_rule_that_names_the_task_leaves_the_difficulty_to_the_classifier_where_it_matters(
    rules: Rulebook,
) -> None:
    """All difficulties of this task go to one tier: nobody needs to be asked."""
    world = world_of(rules, answered('{"a": 1}'), verdict=SIMPLE)
    served = await world.pipeline.handle(read_complete(complete(), {"x-router-feature": "mail-in"}), CALLER)
    assert ("mail", "sonnet", []) == (router_of(served)["task"], router_of(served)["tier"], world.classifier.questions)
    assert [] == router_of(served)["warnings"]


@pytest.mark.anyio
async def test_an_answer_that_is_not_the_json_that_the_task_promises_goes_up_and_is_told(rules: Rulebook) -> None:
    world = world_of(rules, answered("Sure!"), answered("Sure!"), answered("Sure!"))
    served = await world.pipeline.handle(read_complete(complete(), {"x-router-feature": "mail-in"}), CALLER)
    assert ["the answer is no JSON, which the task promises"] == router_of(served)["warnings"]
    assert "broken_contract" == router_of(served)["outcome"]
    assert len(set(world.upstream.models)) == len(world.upstream.models) > 1


@pytest.mark.anyio
async def test_the_next_tier_s_json_is_the_answer(rules: Rulebook) -> None:
    world = world_of(rules, answered("Sure!"), answered('{"a": 1}'))
    served = await world.pipeline.handle(read_complete(complete(), {"x-router-feature": "mail-in"}), CALLER)
    router = router_of(served)
    assert ("answered", True, []) == (router["outcome"], router["degraded"], router["warnings"])
    assert 2 == len(world.ledger.rows)


@pytest.mark.anyio
async def test_a_sibling_stands_in_before_the_next_tier(rules: Rulebook) -> None:
    world = world_of(rules, failed(OutcomeKind.OVERLOADED, 529), answered())
    served = await world.pipeline.handle(read_complete(complete(model="sonnet"), {}), CALLER)
    assert ["claude-sonnet-5-5", "claude-sonnet-5"] == world.upstream.models
    assert ("sonnet", True) == (router_of(served)["tier"], router_of(served)["degraded"])
    assert world.steering.watched[0].degraded


@pytest.mark.anyio
async def test_the_note_holds_what_was_decided_and_never_the_text(rules: Rulebook) -> None:
    world = world_of(rules, answered(), verdict=SIMPLE)
    await world.pipeline.handle(read_complete(complete(prompt="the secret plan"), {}), CALLER)
    found = note(world)
    assert ("haiku", "question", SIMPLE, rules.hash) == (found.tier, found.task, found.verdict, found.policy_hash)
    assert [False] == [answer for _, answer in found.texts]
    assert b"secret" not in msgspec.msgpack.encode(found)


@pytest.mark.anyio
async def test_a_hang_up_before_the_answer_is_told_with_what_it_cost(rules: Rulebook) -> None:
    world = world_of(rules, "never")
    asking = asyncio.ensure_future(world.pipeline.handle(read_complete(complete(model="opus"), {}), CALLER))
    await world.upstream.waiting.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    (told,) = world.events.requests
    assert (1, "caller_gone") == (told["attempts"], told["outcome"])
    assert told["cost_usd"] != "0"
    assert not world.steering.watched[0].failed


@pytest.mark.parametrize(
    ("outcome", "failed_"),
    [(OutcomeKind.OVERLOADED, True), (OutcomeKind.BAD_REQUEST, False), (OutcomeKind.AUTHENTICATION, True)],
)
@pytest.mark.anyio
async def test_what_the_caller_did_wrong_is_not_held_against_the_policy(
    outcome: OutcomeKind, failed_: bool, rules: Rulebook
) -> None:
    world = world_of(rules, *(failed(outcome, 400) for _ in range(3)))
    ask = read_messages(messages(model="opus"), {})
    with contextlib.suppress(RequestError):
        await world.pipeline.handle(ask, CALLER)
    assert failed_ == world.steering.watched[0].failed


# ---- the shadow


def shadowed(rules: Rulebook, candidate: str, folder: Path, verdict: Verdict | None = SIMPLE) -> World:
    world = world_of(rules, answered(), verdict=verdict)
    path = folder / "candidate"
    path.mkdir()
    world.steering.shadow = rules_from(candidate, path)
    return world


@pytest.mark.parametrize(
    ("candidate", "differs", "words"),
    [
        (POLICY, False, ""),
        (
            POLICY.replace("default:", "difficulty: {simple: opus}\ndefault:"),
            True,
            "claude-haiku-5-5 (question) -> claude-opus-5-5 (question): question, simple: the policy sends it to opus",
        ),
        (POLICY.replace("  question:", "  query:"), None, "needs a verdict under the candidate's own tasks"),
        (
            POLICY.replace('matches: "[0-9]{16}"', "keywords: capital"),
            True,
            "claude-haiku-5-5 (question) -> router/rule (general): the rule cards refuses it",
        ),
    ],
)
@pytest.mark.anyio
async def test_the_candidate_in_the_shadow_decides_too_and_serves_nobody(
    candidate: str, differs: bool | None, words: str, rules: Rulebook, tmp_path: Path
) -> None:
    world = shadowed(rules, candidate, tmp_path)
    served = await world.pipeline.handle(read_complete(complete(), {}), CALLER)
    shadow = world.steering.shadow
    assert shadow is not None
    assert [(shadow.hash, differs, words)] == world.steering.differences
    assert ("haiku", 1, 1) == (router_of(served)["tier"], len(world.upstream.calls), len(world.classifier.questions))


@pytest.mark.anyio
async def test_where_the_policy_says_so_the_candidates_own_classifier_is_asked_beside_the_request(
    tmp_path: Path,
) -> None:
    rules = rules_from(POLICY + "rollout: {candidate: next.yaml, mode: shadow, ask_classifier: true}", tmp_path)
    world = shadowed(rules, POLICY.replace("  question:", "  query:"), tmp_path)
    world.classifier.then = Verdict(task="query", difficulty=Difficulty.EDGE_CASE, source="classifier")
    await world.pipeline.handle(read_complete(complete(), {}), Caller(tenant="acme", request_id="req_2"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ((_, differs, words),) = world.steering.differences
    assert (True, 2) == (differs, len(world.classifier.questions))
    assert words.startswith("claude-haiku-5-5 (question) -> claude-opus-5-5 (query)")


@pytest.mark.anyio
async def test_a_stream_is_watched_once_when_it_has_ended(rules: Rulebook) -> None:
    world = world_of(rules, streamed(*events("Paris.")))
    ask = read_complete(complete(model="opus", stream=True), {})
    served = await world.pipeline.handle(ask, CALLER)
    assert [] == world.steering.watched
    await drained(served)
    assert [False] == [one.failed for one in world.steering.watched]


# ---- /explain


@pytest.mark.anyio
async def test_explain_says_of_every_rule_whether_it_matched_and_why(rules: Rulebook) -> None:
    world = world_of(rules)
    told = await world.pipeline.explain(read_complete(complete(), {"x-router-feature": "mail-in"}), CALLER)
    assert [
        {"rule": "cards", "matched": False, "why": "the text does not meet matches"},
        {"rule": "closed", "matched": False, "why": "feature is not shop"},
        {"rule": "no-haiku", "matched": False, "why": "model is not claude-haiku-*"},
        {"rule": "long", "matched": False, "why": "the header x-size is not long"},
        {"rule": "mails", "matched": True, "why": "every condition holds"},
    ] == told["rules"]
    assert [] == world.upstream.calls


@pytest.mark.anyio
async def test_explain_shows_what_the_prompt_costs_on_each_tier_cold_and_warm(rules: Rulebook) -> None:
    world = world_of(rules, verdict=SIMPLE)
    long = "You are a careful clerk. " * 2_000  # 50,000 characters: about 20,000 tokens
    told = await world.pipeline.explain(read_complete(complete(system=long), {}), CALLER)
    candidates = told["candidates"]
    assert isinstance(candidates, list)
    haiku = candidates[0]
    assert ("haiku", True, "yes") == (haiku["tier"], haiku["chosen"], haiku["takes_it"])
    assert haiku["cacheable_tokens"] > 19_000
    cold, warm = float(haiku["prompt_usd_cold"]), float(haiku["prompt_usd_warm"])
    # written for 5 minutes at 0.125, read at 0.01 USD a million
    assert 0.0024 < cold < 0.0027
    assert warm < cold / 10


@pytest.mark.anyio
async def test_explain_shows_the_measurements_that_decide(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(
        "routes: {question: {haiku: {model: claude-haiku-5-5, cases: 200, passed: 120, measured: 2026-11-20},"
        " sonnet: {model: claude-sonnet-5-5, cases: 200, passed: 195, measured: 2026-11-20}}}"
    )
    world = world_of(rules_from(POLICY, tmp_path), verdict=SIMPLE)
    told = await world.pipeline.explain(read_complete(complete(), {}), CALLER)
    measured = told["measured"]
    assert isinstance(measured, list)
    assert [("haiku", False), ("sonnet", True)] == [(one["tier"], one["clears"]) for one in measured]
    assert "question: sonnet is the cheapest that clears the bar of 90% (195/200 passed" in str(told["reason"])


@pytest.mark.anyio
async def test_explain_of_what_a_rule_answers_names_nobody_to_be_asked(rules: Rulebook) -> None:
    world = world_of(rules)
    told = await world.pipeline.explain(read_complete(complete(), {"x-router-feature": "shop"}), CALLER)
    assert ("the rule closed answers it with a text", []) == (told["reason"], told["ladder"])
