"""What a run says before its first call that it may cost: no call that it then makes may be missing from it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evals.cli.opening import Making
from evals.desk import Desk
from evals.foreseeing import AGAIN, pairs_of
from evals.graders import grader_of
from evals.looping import measure
from evals.ports import Halted
from evals.spending import needed_pico
from evals.vocabulary import Claim, GraderSpec
from evals.walking import REPEATED_MAX, REPEATS, Seen, Walk
from router.vocabulary import PICO_PER_USD

from .scene import desk_at, render, suite, upstream

pytestmark = pytest.mark.anyio

TIERS = ("haiku", "sonnet", "opus")
JUDGE = GraderSpec(kind="judge", options={"rubric": "The sum is right.", "tier": "opus"})
JUDGING = Making(render=render, grader_of=grader_of)


def says(body: dict[str, Any]) -> str:
    """Haiku says 0 to every fifth sum; the judge passes every other answer."""
    content = body["messages"][-1]["content"]
    text = content if isinstance(content, str) else "".join(block["text"] for block in content)
    if text.startswith("What is "):
        number = int(text.removeprefix("What is ").partition(" ")[0])
        return "0" if number % 5 == 0 and "haiku" in body["model"] else str(2 * number)
    return msgspec.json.encode({"why": "so it is", "passed": ">\n0\n<" not in text}).decode()


async def measured(desk: Desk, walk: Walk) -> None:
    assert None is await measure(walk, desk.engine, lambda _suite, _need: None)


async def test_no_call_of_a_judged_suite_is_missing_from_its_estimate(tmp_path: Path) -> None:
    judged = suite(15, grader=JUDGE, claim=Claim(kind="bar", value=0.6), looks=(1.0,), budget_usd=50)
    async with upstream(script=says) as standin, desk_at(standin, tmp_path, judged, making=JUDGING) as desk:
        lines = desk.estimate(judged, TIERS)
        walk = Walk(judged, TIERS, Seen())
        await measured(desk, walk)
        bill = standin.bill()
        assert ["haiku", "sonnet", "opus", AGAIN, "opus, as judge"] == [one.tier for one in lines]
        answers = 3 * 15 + 3 * 2 * REPEATS  # asked again: three cases of haiku and sonnet
        assert answers == len(walk.seen.all())
        assert answers < bill.attempts <= 3 * answers
        assert bill.attempts <= sum(one.calls for one in lines)
        assert bill.cost_pico == desk.spent_pico <= sum(one.worst_pico for one in lines)
        assert bill.cost_pico <= sum(one.expected_pico for one in lines)
        after = {one.tier: one for one in desk.estimate(judged, TIERS)}
        assert [0, 0, 0] == [after[tier].calls for tier in TIERS]
        # Haiku and sonnet are through; sonnet and opus may still turn out to differ, on other cases.
        assert 2 * REPEATED_MAX * REPEATS >= after[AGAIN].calls >= (2 * REPEATED_MAX - 3) * REPEATS
        assert 2 * after[AGAIN].calls == after["opus, as judge"].calls


async def test_a_first_look_needs_its_judge_and_no_repeats(tmp_path: Path) -> None:
    judged = suite(10, grader=JUDGE)
    async with upstream(script=says) as standin:
        async with desk_at(standin, tmp_path, judged, making=JUDGING) as desk:
            [opus, judge] = desk.estimate(judged, ["opus"], 4)
        assert (4, 8) == (opus.calls, judge.calls)
        enough = needed_pico([opus, judge])
        async with desk_at(standin, tmp_path, judged, making=JUDGING, max_pico=enough - 1) as desk:
            with pytest.raises(Halted, match="sums: one look, 4 cases on opus"):
                desk.refuse_small(judged, ["opus"], 4)
        async with desk_at(standin, tmp_path, judged, making=JUDGING, max_pico=enough) as desk:
            desk.refuse_small(judged, ["opus"], 4)
        assert 0 == standin.bill().attempts


@pytest.mark.parametrize(
    ("kind", "twice_each"),
    [("bar", {"haiku": 1, "sonnet": 2, "opus": 1}), ("margin", {"haiku": 1, "sonnet": 1, "opus": 2})],
)
async def test_both_tiers_of_each_pair_are_asked_again(kind: str, twice_each: dict[str, int], tmp_path: Path) -> None:
    sums = suite(5, claim=Claim(kind=kind, value=0.1))
    assert twice_each == Counter(tier for pair in pairs_of(sums, TIERS) for tier in pair)
    async with upstream() as standin, desk_at(standin, tmp_path, sums) as desk:
        again = desk.estimate(sums, TIERS)[-1]
        assert (AGAIN, 4 * 5 * REPEATS) == (again.tier, again.calls)
        assert 0 < again.expected_pico < again.worst_pico
        assert 1 == len(desk.estimate(sums, ["opus"]))  # alone, it differs from nobody


async def test_the_first_looks_of_all_suites_must_fit_under_one_cap(tmp_path: Path) -> None:
    one, two, rest = (suite(10, name=name, template=f"What is {{input}}? {name}") for name in ("one", "two", "rest"))
    async with upstream() as standin:
        async with desk_at(standin, tmp_path, one, two, rest) as desk:
            looks = [desk.estimate(asked, ["opus"], 4)[0] for asked in (one, two, rest)]
        two_looks, all_looks = needed_pico(looks[:2]), needed_pico(looks)
        async with desk_at(standin, tmp_path, one, two, rest, max_pico=two_looks) as desk:
            for asked in (one, two):
                desk.refuse_small(asked, ["opus"], 4)
            with pytest.raises(Halted) as refused:
                desk.refuse_small(rest, ["opus"], 4)
        words = str(refused.value)
        assert words.startswith("rest: one look, 4 cases on opus, needs about $")
        assert "with the first looks of one, two; " in words
        enough_pico = float(words.partition("--max-usd ")[2].partition(" ")[0]) * PICO_PER_USD
        assert all_looks <= enough_pico < all_looks + PICO_PER_USD // 100
        assert words.endswith(" is enough for one look at each")


async def test_suites_with_budgets_of_their_own_share_none(tmp_path: Path) -> None:
    one, two = (suite(10, name=name, budget_usd=0.03) for name in ("one", "two"))
    async with upstream() as standin, desk_at(standin, tmp_path, one, two) as desk:
        needed = needed_pico(desk.estimate(one, ["opus"], 4))
        assert one.budget_pico // 2 < needed < one.budget_pico
        for asked in (one, two):
            desk.refuse_small(asked, ["opus"], 4)
