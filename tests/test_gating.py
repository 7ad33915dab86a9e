"""The local gate in a request's way: it answers what it was shown to be right about, and leaves the rest alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from evals.learn.bound import Asked
from evals.learn.drafting import Wanted
from evals.learn.fitting import fit_gate
from evals.learn.labels import Label
from router.decide.gate_file import Gate, write_gate
from router.serving import Served
from router.vocabulary import Difficulty, Verdict
from router.wire.ask import read_complete

from .rulebooks import rules_from
from .test_pipeline import CALLER, complete, router_of
from .worlds import World, answered

POLICY = """
tiers: {haiku: {model: claude-haiku-5-5}, sonnet: {model: claude-sonnet-5-5}}
default: {tier: sonnet, task: other}
tasks: {sums: {description: Sums.}, other: {description: The rest.}}
difficulty: {simple: haiku, complex: sonnet, edge_case: sonnet}
"""
NOUNS = ("apples", "pears", "boats", "coins", "books", "chairs", "lamps", "stones", "cups", "rings")
HARD = "Prove by induction over {0} that the determinant of every {1} matrix with {2} in each row is divisible."
EASY = "Anna has {0} {1} and buys {2} more {1}. How many {1} does she have now?"
COMPLEX = Verdict(task="sums", difficulty=Difficulty.COMPLEX, source="classifier")


def text_of(number: int) -> str:
    noun = NOUNS[number % len(NOUNS)]
    return (EASY if number % 4 else HARD).format(number * 7 % 90 + 3, noun, number * 3 % 40 + 2)


@cache
def fitted() -> Gate:
    """What is easy the cheap tier does, what is hard it does not."""
    labels = [
        Label(text=text_of(n), task="sums", weak=float(n % 4 != 0), strong=1.0, cheap="haiku", top="sonnet",
              model="claude-haiku-5-5")
        for n in range(600)
    ]  # fmt: skip
    return fit_gate(labels, Wanted(asked=Asked(alpha=0.1, min_cases=50)))


def world_of(folder: Path, policy: str = POLICY, gate: bytes | None = None) -> World:
    (folder / "gate.json").write_bytes(write_gate(fitted()) if gate is None else gate)
    rules = rules_from(policy, folder)
    return World(*(answered("12") for _ in range(4)), rules=lambda: rules, verdict=COMPLEX)


async def ask(world: World, text: str, task: str | None = "sums", **fields: object) -> Served:
    body = complete(router={} if task is None else {"task": task}, prompt=text, **fields)
    return await world.pipeline.handle(read_complete(body, {}), CALLER)


@pytest.mark.anyio
async def test_what_it_is_sure_of_is_not_asked_of_the_classifier(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    receipt: dict[str, Any] = dict(router_of(await ask(world, EASY.format(31, "apples", 12))))
    assert ("haiku", "gate", 0) == (receipt["tier"], receipt["verdict"]["source"], len(world.classifier.questions))
    assert "of such answers are wrong" in receipt["verdict"]["detail"]
    assert ("gate", "answered") in world.events.counts


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "task", "fields"),
    [
        (HARD.format(31, "apples", 12), "sums", {}),
        ("Schreibe mir bitte ein Gedicht über den Herbst in Wien.", "sums", {}),
        (EASY.format(31, "apples", 12), "other", {}),
        (EASY.format(31, "apples", 12) * 200, "sums", {}),
        (EASY.format(31, "apples", 12), "sums", {"tools": [{"name": "t", "input_schema": {"type": "object"}}]}),
    ],
)
async def test_everything_else_is_left_to_the_classifier(
    tmp_path: Path, text: str, task: str, fields: dict[str, object]
) -> None:
    world = world_of(tmp_path)
    receipt = router_of(await ask(world, text, task, **fields))
    assert ("sonnet", 1) == (receipt["tier"], len(world.classifier.questions))
    assert ("gate", "answered") not in world.events.counts


@pytest.mark.anyio
async def test_a_policy_that_sends_simple_requests_lower_than_was_measured_asks_the_classifier(tmp_path: Path) -> None:
    policy = POLICY.replace("tiers: {", "tiers: {tiny: {model: claude-haiku-4-5}, ").replace(
        "simple: haiku", "simple: tiny"
    )
    world = world_of(tmp_path, policy)
    await ask(world, EASY.format(31, "apples", 12))
    assert 1 == len(world.classifier.questions)
    assert ("gate", "too_low") in world.events.counts


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("gate: {enabled: false}", ""),
        ("gate: {alpha: 0.05}", "it was fitted for a bound of 0.1, and `gate.alpha` is 0.05"),
        ("gate: {min_cases: 100}", "its bounds rest on 50 cases"),
    ],
)
async def test_a_gate_that_may_not_be_used_is_not(tmp_path: Path, policy: str, said: str) -> None:
    world = world_of(tmp_path, POLICY + policy + "\n")
    assert said in " ".join(rules_from(POLICY + policy + "\n", tmp_path).warnings)
    await ask(world, EASY.format(31, "apples", 12))
    assert 1 == len(world.classifier.questions)


def test_a_gate_for_another_model_than_the_tier_has_now_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "gate.json").write_bytes(write_gate(fitted()))
    rules = rules_from(POLICY.replace("model: claude-haiku-5-5", "model: claude-haiku-4-5"), tmp_path)
    assert rules.gate is None
    assert "claude-haiku-5-5" in " ".join(rules.warnings)


def test_a_file_that_is_no_gate_is_told_and_the_classifier_is_asked(tmp_path: Path) -> None:
    assert rules_from(POLICY, tmp_path).gate is None
    (tmp_path / "gate.json").write_bytes(b"{}")
    rules = rules_from(POLICY, tmp_path)
    assert rules.gate is None
    assert "fit it again with `tierwise gate fit`" in " ".join(rules.warnings)


@pytest.mark.anyio
async def test_nobody_learns_from_what_the_gate_said(tmp_path: Path) -> None:
    world = world_of(tmp_path, f"{POLICY}sampling: {{keep: 1}}\n")
    await ask(world, EASY.format(31, "apples", 12))
    await ask(world, HARD.format(31, "apples", 12))
    assert [None, "complex"] == [one.verdict_difficulty for one in world.samples.kept]


@pytest.mark.anyio
@pytest.mark.parametrize(("share", "audited"), [(0.6, 1), (0.4, 0)])
async def test_a_share_of_its_answers_is_asked_of_the_classifier_too(
    tmp_path: Path, share: float, audited: int
) -> None:
    world = world_of(tmp_path, f"{POLICY}gate: {{audit_share: {share}}}\n")
    receipt = router_of(await ask(world, EASY.format(31, "apples", 12)))
    await world.clock.sleep(0)
    assert ("haiku", audited) == (receipt["tier"], len(world.classifier.questions))
    assert audited == world.events.counts.count(("gate_audits", "different"))


def test_a_new_gate_is_another_policy(tmp_path: Path) -> None:
    before = rules_from(POLICY, tmp_path).hash
    (tmp_path / "gate.json").write_bytes(write_gate(fitted()))
    assert before != rules_from(POLICY, tmp_path).hash
