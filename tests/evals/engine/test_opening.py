"""What keeps a run from beginning: another run, nobody to ask, a suite that the policy does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.cli.opening import opened
from evals.desk import Options
from router.errors import StartError

from .scene import MAKING, desk_at, nobody, suite, upstream

pytestmark = pytest.mark.anyio


async def test_two_runs_at_once_do_not_pay_for_the_same(tmp_path: Path) -> None:
    sums = suite(1)
    async with upstream() as standin, desk_at(standin, tmp_path, sums):
        with pytest.raises(StartError, match="another `tierwise eval` is at work in"):
            async with desk_at(standin, tmp_path, sums):
                raise AssertionError("it must not begin")


async def test_without_a_key_both_ways_are_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="set ANTHROPIC_API_KEY to measure, or add --rehearse"):
        async with opened(nobody(tmp_path), Options(), [suite(1)], MAKING):
            raise AssertionError("it must not begin")


async def test_a_task_or_tier_that_the_policy_does_not_have_is_named_with_those_it_has(tmp_path: Path) -> None:
    wrong = suite(1, task="sorting", tiers=("haiku", "gold"))
    async with upstream() as standin:
        with pytest.raises(StartError) as error:
            async with desk_at(standin, tmp_path, wrong):
                raise AssertionError("it must not begin")
    task, tier = str(error.value).splitlines()
    assert task.startswith("suites/sums/suite.yaml: task: the policy has no task sorting; it has: classify, code")
    assert tier.startswith("suites/sums/suite.yaml: tiers: the policy has no tier gold; it has: haiku, sonnet")
