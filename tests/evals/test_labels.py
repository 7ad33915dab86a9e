"""Graded requests of production: counted once, kept through a kill, and never without a reason to trust them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from evals.labels import (
    AGREES,
    CONTRACT,
    FAILED,
    NOT_TAKEN,
    Graded,
    Label,
    add_labels,
    counted,
    labels_file,
    read_labels,
)
from evals.sampling import by_agreement, by_contract, comparison, not_answered, reachable, shadows
from router.decide.policy import Rulebook
from router.vocabulary import Sampled
from tests.rulebooks import rules_from

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5}
  fable: {model: claude-fable-5-2, only_by_name: true}
default: {tier: haiku, task: chat}
tasks:
  chat: {}
  data: {output: {type: enum, values: ["yes", "no"]}}
  sums: {agree: {second: claude-haiku-4-5, compare: number}}
sampling: {keep: 1, shadow: 0.5}
"""
BODY = b'{"prompt": "Is it?"}'


@pytest.fixture
def rules(tmp_path: Path) -> Rulebook:
    return rules_from(POLICY, tmp_path)


def label(request: str, passed: bool = True, tier: str = "haiku", how: str = AGREES, model: str = "m") -> Label:
    return Label(request_id=request, task="data", tier=tier, model=model, passed=passed, how=how, at_ms=7)


def message(text: str) -> bytes:
    return msgspec.json.encode({"content": [{"type": "text", "text": text}]})


def sampled(request: str, task: str, text: str, tier: str = "haiku") -> Sampled:
    return Sampled(request_id=request, at_ms=7, task=task, tier=tier, model="m", body=BODY, answer=message(text))


def test_a_request_counts_once_and_its_newest_label_counts(tmp_path: Path) -> None:
    add_labels(tmp_path, [label("r1", passed=False), label("r2")])
    add_labels(tmp_path, [label("r1")])
    assert {"data": {"haiku": Graded(model="m", cases=2, passed=2, newest_ms=7)}} == counted(read_labels(tmp_path))


def test_a_line_that_a_kill_tore_is_passed_over(tmp_path: Path) -> None:
    add_labels(tmp_path, [label("r1")])
    with labels_file(tmp_path).open("ab") as file:
        file.write(b'{"request_id": "r2", "ta\n')
    add_labels(tmp_path, [label("r3")])
    assert ["r1", "r3"] == [one.request_id for one in read_labels(tmp_path)]
    assert () == read_labels(tmp_path / "elsewhere")


def test_a_kept_promise_is_counted_apart_from_a_right_answer() -> None:
    labels = [label("r1", how=CONTRACT), label("r1", passed=False), label("r2", how=CONTRACT)]
    assert Graded(model="m", cases=1, passed=0, newest_ms=7) == counted(labels)["data"]["haiku"]
    assert Graded(model="m", cases=2, passed=2, newest_ms=7) == counted(labels, CONTRACT)["data"]["haiku"]


def test_labels_of_a_model_that_was_replaced_do_not_count() -> None:
    labels = [label("r1", model="old"), label("r2", model="new")]
    assert Graded(model="new", cases=1, passed=1, newest_ms=7) == counted(labels)["data"]["haiku"]


def test_an_answer_is_held_against_what_its_task_promises(rules: Rulebook) -> None:
    good, bad = (by_contract(sampled("r", "data", text), rules) for text in ('{"answer": "yes"}', '{"answer": "eh"}'))
    assert (True, False) == (good and good.passed, bad and bad.passed)
    assert by_contract(sampled("r", "chat", "anything"), rules) is None


def test_only_answers_that_can_be_compared_are_run_again(rules: Rulebook) -> None:
    kept = [sampled(f"r{at}", task, "1") for at, task in enumerate(["data", "sums", "chat", "gone"])]
    assert ["json", "number", None, None] == [comparison(one, rules) for one in kept]
    drawn = shadows(kept, requests=100, labels=(), rules=rules)
    assert {("r0", "sonnet", "json"), ("r1", "sonnet", "number")} == {
        (one.sampled.request_id, one.tier, one.compare) for one in drawn
    }


def test_no_more_are_run_again_than_the_policy_allows_and_none_twice(rules: Rulebook) -> None:
    kept = [sampled(f"r{at}", "data", "1") for at in range(40)]
    drawn = shadows(kept, requests=40, labels=(), rules=rules)
    assert 20 == len(drawn)
    labels = [label(one.sampled.request_id) for one in drawn]
    assert () == shadows(kept, 40, labels, rules)  # a share of the requests, not of each command's
    again = shadows(kept, 60, labels, rules)
    assert 10 == len(again)
    assert not {one.sampled.request_id for one in again} & {one.request_id for one in labels}


def test_a_check_of_the_promise_uses_up_no_share_and_what_failed_does(rules: Rulebook) -> None:
    kept = [sampled(f"r{at}", "data", "1") for at in range(8)]
    assert 4 == len(shadows(kept, 8, [label(f"r{at}", how=CONTRACT) for at in range(8)], rules))
    assert 3 == len(shadows(kept, 8, [label("r1", how=FAILED)], rules))
    assert 4 == len(shadows(kept, 8, [label("r1", how=NOT_TAKEN)], rules))  # it was never sent


def test_a_request_that_came_to_nothing_is_not_drawn_again_and_counts_for_no_tier(rules: Rulebook) -> None:
    kept = [sampled("r1", "data", "1"), sampled("r2", "data", "1", tier="sonnet")]
    for how in (FAILED, NOT_TAKEN):
        failed = [not_answered(one, how, rules) for one in shadows(kept, 100, (), rules)]
        assert {("r1", "haiku", how), ("r2", "haiku", how)} == {(one.request_id, one.tier, one.how) for one in failed}
        assert () == shadows(kept, 100, failed, rules)
        assert ({}, {}) == (counted(failed), counted(failed, CONTRACT))


@pytest.mark.parametrize(
    ("fields", "drawn"),
    [
        ('"mcp_servers": [{"type": "url", "url": "https://mcp.example/"}]', False),
        ('"container": "container_1"', False),
        ('"tools": [{"name": "add", "input_schema": {}}, {"type": "web_search_20250305", "name": "s"}]', False),
        ('"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]', False),
        ('"prompt": "twice"', False),  # nobody knows which is meant
        ('"mcp_servers": [], "container": null', True),
        ('"tools": [{"name": "add", "input_schema": {}}, {"type": "custom", "name": "b", "input_schema": {}}]', True),
    ],
)
def test_what_could_act_in_the_world_is_never_run_again(rules: Rulebook, fields: str, drawn: bool) -> None:
    body = f'{{"max_tokens": 9, "prompt": "Do it.", {fields}}}'.encode()
    one = msgspec.structs.replace(sampled("r1", "data", "1"), body=body)
    assert drawn == bool(shadows([one], 2, (), rules))


def test_a_tier_did_it_when_its_answer_is_the_top_tiers(rules: Rulebook) -> None:
    (low,) = shadows([sampled("r", "data", '{"answer":"yes"}')], 2, (), rules)
    assert ("haiku", True) == _said(by_agreement(low, message('{"answer": "yes"}'), "top", rules))
    assert ("haiku", False) == _said(by_agreement(low, message('{"answer": "no"}'), "top", rules))
    (high,) = shadows([sampled("r", "data", '{"answer":"yes"}', tier="sonnet")], 2, (), rules)
    assert ("haiku", "haiku") == (high.tier, by_agreement(high, message('{"answer":"yes"}'), "m", rules).tier)


def test_a_tier_that_is_only_had_by_name_is_never_asked(rules: Rulebook) -> None:
    assert ["haiku", "sonnet"] == list(reachable(rules))


def _said(one: Label) -> tuple[str, bool]:
    return one.tier, one.passed
