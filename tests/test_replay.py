"""A replay decides as the live request did, and counts what it cannot know instead of guessing.

Here and not in tests/decide/: what is replayed are the notes of real runs of the story.
"""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import msgspec
import pytest

from router.decide.policy import Rulebook
from router.decide.replay import NO_HEADER, NO_TEXT, NO_VERDICT, Replay, Spent
from router.errors import RequestError
from router.vocabulary import Caller, Decided, Difficulty, Usage, Verdict
from router.wire.ask import read_complete

from .rulebooks import rules_from
from .worlds import World, answered

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5}
  opus: {model: claude-opus-5-5}
default: {tier: sonnet, task: general}
tasks:
  general: {description: Anything.}
  question: {description: A question.}
  code: {description: Code., difficulty: {complex: opus}}
rules:
  - {name: refunds, when: {keywords: refund, feature: shop}, tier: opus}
  - {name: hinted, when: {header: {x-size: long}}, tier: sonnet}
  - {name: cheap-agents, when: {header: {x-claude-code-request-class: auxiliary}}, tier: haiku}
  - {name: cards, when: {matches: "[0-9]{16}"}, refuse: No cards.}
"""
OTHER = POLICY.replace("complex: opus", "complex: haiku").replace("default: {tier: sonnet", "default: {tier: opus")
SPENT = Spent(usage=Usage(input_tokens=1000, output_tokens=100), pico=5_000_000_000, answered=True)
Asked = tuple[dict[str, object], dict[str, str], Verdict]
CALLER = Caller(tenant="acme", request_id="r")


def requests(number: int, seed: int = 7) -> list[Asked]:
    """Requests of all kinds: conversations, hints, named tiers, texts that rules ask about, silent classifiers."""
    dice, found = random.Random(seed), list[Asked]()
    for _ in range(number):
        turns: list[dict[str, object]] = [{"role": "user", "content": dice.choice(["Hello", "How do I?"])}]
        for _ in range(dice.choice([0, 0, 1, 2])):
            turns += [{"role": "assistant", "content": "Well."}, {"role": "user", "content": "Then?"}]
        turns[-1]["content"] = dice.choice(["I want a refund", "Then?", "4111111111111111", "What is it?"])
        body: dict[str, object] = {"messages": turns, "max_tokens": 100}
        if dice.random() < 0.1:
            body["model"] = dice.choice(["haiku", "opus", "claude-sonnet-5-5"])
        headers = {"x-router-session": f"s{dice.randrange(number // 5)}"}
        if dice.random() < 0.5:
            headers["x-router-feature"] = dice.choice(["shop", "blog"])
        if dice.random() < 0.2:
            headers["x-size"] = dice.choice(["long", "short"])
        if dice.random() < 0.1:
            headers["x-claude-code-request-class"] = dice.choice(["auxiliary", "main"])
        task, difficulty = dice.choice(["general", "question", "code"]), dice.choice(list(Difficulty))
        verdict = Verdict(task=task, difficulty=difficulty, source="classifier")
        if dice.random() < 0.1:
            verdict = Verdict(task=None, difficulty=None, source="unavailable", detail="no verdict in time")
        found.append((body, headers, verdict))
    return found


async def lived(rules: Rulebook, asked: list[Asked]) -> list[Decided]:
    """The notes of the requests, served one after the other under these rules."""
    world = World(*(answered() for _ in asked), rules=lambda: rules)
    for body, headers, verdict in asked:
        world.classifier.then = verdict
        world.classifier.questions.append(None)  # type: ignore[arg-type]
        world.clock.now_s += 1
        with contextlib.suppress(RequestError):  # of the rule that refuses
            await world.pipeline.handle(read_complete(msgspec.json.encode(body), headers), CALLER)
    return [note for note in world.ledger.notes if isinstance(note, Decided)]


def replayed(rules: Rulebook, notes: list[Decided], spent: Spent = SPENT) -> Replay:
    replay = Replay(rules)
    for note in notes:
        replay.add(note, spent)
    return replay


@pytest.mark.anyio
async def test_a_replay_under_the_same_policy_moves_nobody_and_knows_everybody(tmp_path: Path) -> None:
    rules = rules_from(POLICY, tmp_path)
    asked = requests(400)
    replay = replayed(rules, await lived(rules, asked))
    assert (400, 400, 0) == (replay.requests, replay.known, replay.moved)
    assert replay.before == replay.after


@pytest.mark.anyio
async def test_a_replay_decides_as_the_candidate_would_have_done_live(tmp_path: Path) -> None:
    """Where a verdict was kept, request by request, pins included."""
    before, after = rules_from(POLICY, tmp_path), rules_from(OTHER, tmp_path)
    asked = requests(400)
    was, would = await lived(before, asked), await lived(after, asked)
    replay, decided = Replay(after), []
    for past in was:
        decided.append(replay._decide(past))
        replay.add(past, SPENT)
    assert [(one.tier, one.model, one.task, one.reason, one.rule) for one in would] == [
        (one.tier, one.model, one.task, one.reason, one.rule) for one in decided
    ]
    assert 0 < replay.moved < 400


@pytest.mark.anyio
async def test_what_nobody_kept_is_unknown(tmp_path: Path) -> None:
    rules = rules_from(POLICY, tmp_path)
    notes = await lived(rules, requests(100))
    asks_more = POLICY.replace("keywords: refund, feature: shop", "keywords: money")
    asks_header = POLICY.replace("x-size: long", "x-other: long")
    judges_all = POLICY.replace("rules:", "unused:").partition("unused:")[0]
    texts = replayed(rules_from(asks_more, tmp_path), notes).unknown
    headers = replayed(rules_from(asks_header, tmp_path), notes).unknown
    verdicts = replayed(rules_from(judges_all, tmp_path), notes).unknown
    assert texts[NO_TEXT] > 50
    assert headers[NO_HEADER] > 50
    assert verdicts[NO_VERDICT] > 10


@pytest.mark.anyio
async def test_a_verdict_for_a_task_that_the_policy_has_not_is_unknown(tmp_path: Path) -> None:
    rules = rules_from(POLICY, tmp_path)
    notes = await lived(rules, requests(100))
    replay = replayed(rules_from(POLICY.replace("  code:", "  coding:"), tmp_path), notes)
    assert "the verdict of that day names the task code, which this policy has not" in replay.unknown


@pytest.mark.anyio
async def test_who_stays_costs_what_it_cost_and_who_moves_the_exact_price_of_the_same_tokens(tmp_path: Path) -> None:
    rules = rules_from(POLICY, tmp_path)
    asked: list[Asked] = [
        (
            {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
            {},
            Verdict(task="code", difficulty=difficulty, source="classifier"),
        )
        for difficulty in (Difficulty.SIMPLE, Difficulty.COMPLEX)
    ]
    notes = await lived(rules, asked)
    replay = replayed(rules_from(OTHER, tmp_path), notes)
    # 1,000 tokens in at 0.10 and 100 out at 0.50 USD a million on haiku
    assert ((10_000_000_000), SPENT.pico + 150_000_000) == (replay.before.pico, replay.after.pico)
    ((before, after, reason),) = replay.moves
    assert ("opus", "haiku", "code, complex: the policy sends it to haiku") == (before, after, reason)


@pytest.mark.anyio
async def test_a_request_without_an_answer_costs_nothing_elsewhere(tmp_path: Path) -> None:
    rules = rules_from(POLICY, tmp_path)
    notes = await lived(rules, requests(50))
    nothing = Spent(usage=Usage(), pico=0, answered=False)
    assert 0 == replayed(rules_from(OTHER, tmp_path), notes, nothing).after.pico


@pytest.mark.anyio
async def test_a_named_tier_that_the_policy_has_not_is_refused(tmp_path: Path) -> None:
    rules = rules_from(POLICY, tmp_path)
    notes = await lived(rules, requests(200))
    fewer = "tiers: {haiku: {model: claude-haiku-5-5}}\ntasks: {general: {}, question: {}, code: {}}"
    assert replayed(rules_from(fewer, tmp_path), notes).refused.total() > 0
