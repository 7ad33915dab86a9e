"""A policy's own tests run through the same decisions as a live request, and say in words what went wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.decide.trial import Tried, try_all

from ..rulebooks import rules_from

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5}
default: {tier: sonnet, task: chat}
tasks: {chat: {description: x}, code: {description: y}}
rules:
  - {name: cards, when: {matches: "[0-9]{16}"}, refuse: No cards.}
  - {name: closed, when: {header: {x-shop: closed}}, canned: Closed.}
  - {name: webs, when: {tenant: web, workload: batch, user: u, session: s, feature: f, task: code}, tier: sonnet}
  - {name: long, when: {input_tokens: {at_least: 50000}}, tier: sonnet}
tests:
  - name: t
    given: {GIVEN}
    VERDICT
    expect: {EXPECT}
"""


def tried(folder: Path, given: str, expect: str, verdict: str = "pinned: null") -> Tried:
    text = POLICY.replace("{GIVEN}", f"{{{given}}}").replace("{EXPECT}", f"{{{expect}}}").replace("VERDICT", verdict)
    (found,) = try_all(rules_from(text, folder))
    return found


SIMPLE = "verdict: {task: chat, difficulty: simple}"


@pytest.mark.parametrize(
    ("given", "verdict", "expect"),
    [
        ("prompt: Hi", SIMPLE, "tier: haiku, model: claude-haiku-5-5, task: chat, reason: 'chat, simple'"),
        ("prompt: Hi", "pinned: null", "tier: sonnet, reason: no verdict"),
        ("prompt: Hi, model: sonnet", SIMPLE, "tier: sonnet, reason: the caller asked"),
        ("prompt: '1234567812345678'", SIMPLE, "rule: cards, refused: true, canned: false"),
        ("prompt: Hi, headers: {X-Shop: closed}", SIMPLE, "rule: closed, canned: true, refused: false"),
        (
            "prompt: Hi, tenant: web, workload: batch, user: u, session: s, feature: f, task: code",
            SIMPLE,
            "rule: webs, task: code",
        ),
        ("prompt: Hi, input_tokens: 60000", SIMPLE, "rule: long"),
        ("prompt: Hi, input_tokens: 40000", SIMPLE, "tier: haiku"),
        ("body: {max_tokens: 5, messages: [{role: user, content: Hi}]}", SIMPLE, "tier: haiku"),
        ("prompt: Hi", f"{SIMPLE}\n    pinned: sonnet", "tier: sonnet, reason: this conversation is on sonnet"),
        ("prompt: Hi, headers: {x-router-feature: f}", SIMPLE, "tier: haiku"),
        ("prompt: Hi", SIMPLE, ""),
    ],
)
def test_what_is_as_expected_passes(given: str, verdict: str, expect: str, tmp_path: Path) -> None:
    assert () == tried(tmp_path, given, expect, verdict).wrong


@pytest.mark.parametrize(
    ("given", "expect", "wrong"),
    [
        ("prompt: Hi", "tier: sonnet", "tier is haiku, not sonnet"),
        ("prompt: Hi", "model: claude-sonnet-5-5", "model is claude-haiku-5-5, not claude-sonnet-5-5"),
        ("prompt: Hi", "task: code", "task is chat, not code"),
        ("prompt: Hi", "rule: cards", "rule is none, not cards"),
        ("prompt: Hi", "refused: true", "it is not refused by a rule"),
        ("prompt: '1234567812345678'", "refused: false", "it is refused by a rule"),
        ("prompt: '1234567812345678'", "tier: haiku", "tier is none, not haiku"),
        ("prompt: Hi, headers: {x-shop: closed}", "canned: false", "it is canned by a rule"),
        (
            "prompt: Hi",
            "reason: cheap",
            "the reason is 'chat, simple: the policy sends it to haiku', without 'cheap'",
        ),
        (
            "prompt: Hi, task: nothing",
            "",
            "the request itself is wrong: the policy has no such task; it has: chat, code",
        ),
        ("prompt: Hi, workload: nightly", "", "the request itself is wrong: router.workload: expected one of"),
        ("body: {max_tokens: 5}", "", "the request itself is wrong: prompt: is required"),
    ],
)
def test_what_is_not_is_said_in_words(given: str, expect: str, wrong: str, tmp_path: Path) -> None:
    (said,) = tried(tmp_path, given, expect, SIMPLE).wrong
    assert said.startswith(wrong)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = tried(tmp_path, "prompt: Hi", "tier: sonnet, task: code, refused: true", SIMPLE)
    assert (3, "claude-haiku-5-5: chat, simple: the policy sends it to haiku") == (len(found.wrong), found.got)
