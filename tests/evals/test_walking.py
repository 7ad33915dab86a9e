"""What is asked, in which order, and when it is enough."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from evals.finding import Money, finding
from evals.graders import ERROR
from evals.looping import measure
from evals.vocabulary import Case, Claim, Finding, Grade, State, Suite, Tried
from evals.walking import REPEATED_MAX, Need, Seen, Walk

from .worlds import BAR, MARGIN, MODELS, TIERS, Passes, ScriptedEngine, suite_of, tried_of

MONEY = Money(spent_pico=0, batch_percent=50)


def right(_tier: str, _case: int, _epoch: int) -> bool:
    return True


def weak_haiku(tier: str, case: int, _epoch: int) -> bool:
    return tier != "haiku" or case % 2 == 0


async def walked(engine: ScriptedEngine, suite: Suite, tiers: tuple[str, ...] = TIERS) -> tuple[Walk, str]:
    walk = Walk(suite, tiers, Seen())
    return walk, str(await measure(walk, engine, lambda _suite, _need: None))


async def found(passes: Passes, claim: Claim = BAR, cases: int = 100) -> tuple[Finding, ScriptedEngine]:
    engine = ScriptedEngine(passes)
    walk, _ = await walked(engine, suite_of(cases, claim))
    return finding(walk, MODELS, MONEY), engine


@pytest.mark.anyio
async def test_the_cheapest_tier_wins_where_all_are_good_and_most_cases_are_never_asked() -> None:
    result, engine = await found(right)
    assert ("haiku", True) == (result.winner, result.decided)
    assert [State.CLEARS] * 3 == [one.state for one in result.tiers]
    assert result.calls == len(engine.asked) < result.calls_fixed == 300
    assert all(one.at_least >= 0.8 for one in result.tiers)


@pytest.mark.anyio
async def test_tiers_are_tested_from_the_top_down_and_the_first_that_fails_ends_it() -> None:
    result, engine = await found(weak_haiku)
    assert "sonnet" == result.winner
    assert [State.FAILS, State.CLEARS, State.CLEARS] == [one.state for one in result.tiers]
    first_asked = list(dict.fromkeys(tier for tier, _, epoch in engine.asked if epoch == 0))
    assert ["opus", "sonnet", "haiku"] == first_asked
    assert engine.count("haiku") < 100  # hope was gone early
    assert "haiku" in result.words


@pytest.mark.anyio
async def test_below_a_tier_that_fails_nothing_is_asked() -> None:
    result, engine = await found(lambda tier, case, _epoch: tier == "opus" or case % 3 == 0)
    assert "opus" == result.winner
    assert 0 == engine.count("haiku")
    assert State.UNTRIED == result.tiers[0].state


@pytest.mark.anyio
async def test_where_even_the_top_tier_fails_there_is_no_winner_and_that_is_a_verdict() -> None:
    result, _ = await found(lambda _tier, case, _epoch: case % 2 == 0)
    assert (None, True) == (result.winner, result.decided)
    assert "no tier is shown to do" in result.words


@pytest.mark.anyio
async def test_near_the_line_it_says_how_many_cases_more_would_decide() -> None:
    result, _ = await found(lambda _tier, case, _epoch: case % 6 != 0)
    assert (None, False) == (result.winner, result.decided)
    top = result.tiers[-1]
    assert State.UNDECIDED == top.state
    assert top.more_cases is not None
    assert f"{top.more_cases} more cases" in result.words


@pytest.mark.anyio
async def test_for_a_margin_the_top_tier_is_not_asked_where_it_could_not_be_better() -> None:
    result, engine = await found(right, MARGIN, cases=200)
    assert ("haiku", 0) == (result.winner, engine.count("opus"))
    assert result.tiers[0].below_top is not None
    assert result.tiers[0].below_top <= 0.1


@pytest.mark.anyio
async def test_a_mark_that_was_asked_only_where_others_failed_has_no_pass_rate() -> None:
    suite, seen = suite_of(100, MARGIN), Seen()
    walk = Walk(suite, TIERS, seen)
    need = next(walk.steps())
    seen.add(tried_of(need.tier, case, passed=case.id != "c000") for case in need.cases)
    seen.add([tried_of("opus", suite.cases[0], passed=True)])
    top = finding(walk, MODELS, MONEY).tiers[-1]
    assert (State.UNTRIED, 0, 9_000) == (top.state, top.cases, top.cost_pico)
    assert "asked on 1 cases, only where a cheaper tier failed" in top.words


@pytest.mark.anyio
async def test_for_a_margin_the_top_tier_is_what_is_left_where_no_other_keeps_up() -> None:
    result, _ = await found(lambda tier, case, _epoch: tier == "opus" or case % 2 == 0, MARGIN)
    assert ("opus", True) == (result.winner, result.decided)
    assert "only the top tier" in result.words


@pytest.mark.anyio
async def test_cases_on_which_tiers_differ_are_asked_again_and_change_nothing() -> None:
    def lucky(tier: str, case: int, epoch: int) -> bool:
        return tier != "haiku" or case % 2 == 0 or epoch > 0

    result, engine = await found(lucky)
    assert "sonnet" == result.winner
    assert REPEATED_MAX >= engine.count("haiku", epoch=1) == engine.count("sonnet", epoch=2) > 0
    assert ("pass/pass", "pass/pass") == result.pairs[0].repeats
    assert ("sonnet", "haiku") == (result.pairs[0].better, result.pairs[0].worse)


@pytest.mark.anyio
async def test_a_walk_that_was_broken_off_goes_on_where_it_was() -> None:
    broken = ScriptedEngine(weak_haiku, halts_after=30)
    walk, why = await walked(broken, suite_of())
    assert "the cap is reached" == why
    partly = finding(walk, MODELS, MONEY)
    assert (None, False) == (partly.winner, partly.decided)
    whole, _ = await walked(ScriptedEngine(weak_haiku), suite_of())
    resumed = ScriptedEngine(weak_haiku)
    again = Walk(suite_of(), TIERS, Seen(walk.seen.all()))
    assert None is await measure(again, resumed, lambda _suite, _need: None)
    assert not set(broken.asked) & set(resumed.asked)
    assert finding(whole, MODELS, MONEY) == finding(again, MODELS, MONEY)


@pytest.mark.anyio
async def test_what_stops_the_repeats_leaves_the_verdict() -> None:
    whole = ScriptedEngine(weak_haiku)
    walk, _ = await walked(whole, suite_of())
    firsts = sum(1 for _, _, epoch in whole.asked if not epoch)
    stopped, why = await walked(ScriptedEngine(weak_haiku, halts_after=firsts), suite_of())
    assert "None" == why
    one, other = finding(walk, MODELS, MONEY), finding(stopped, MODELS, MONEY)
    assert (one.winner, one.tiers) == (other.winner, other.tiers)


@pytest.mark.anyio
async def test_a_grader_that_fails_stops_the_suite_and_names_the_case() -> None:
    class Failing(ScriptedEngine):
        async def run(self, suite: Suite, tier: str, cases: Sequence[Case], epoch: int = 0) -> list[Tried]:
            tried = await super().run(suite, tier, cases, epoch)
            bad = Grade(passed=False, why=f"{ERROR} ZeroDivisionError")
            return [msgspec.structs.replace(tried[0], grade=bad), *tried[1:]]

    walk = Walk(suite_of(), TIERS, Seen())
    halted = await measure(walk, Failing(right), lambda _suite, _need: None)
    assert f"first: case {walk.suite.cases[0].id}" in str(halted)
    assert () == walk.seen.all()


@pytest.mark.anyio
async def test_what_is_written_down_of_clustered_cases_is_as_sure_as_their_clusters() -> None:
    suite = suite_of(100, clusters=10)
    walk, _ = await walked(ScriptedEngine(weak_clusters), suite, ("opus",))
    (tier,) = finding(walk, MODELS, MONEY).tiers
    apart, _ = await walked(ScriptedEngine(weak_clusters), suite_of(100), ("opus",))
    (alone,) = finding(apart, MODELS, MONEY).tiers
    assert tier.high - tier.low > alone.high - alone.low
    assert "Note: only 10 clusters" in finding(walk, MODELS, MONEY).words


@pytest.mark.anyio
async def test_what_is_asked_is_told_first() -> None:
    told: list[Need] = []
    walk = Walk(suite_of(), TIERS, Seen())
    await measure(walk, ScriptedEngine(right), lambda _suite, need: told.append(need))
    assert ("opus", 20, 1, 5) == (told[0].tier, len(told[0].cases), told[0].look, told[0].looks)


@pytest.mark.anyio
async def test_clustered_cases_count_for_less() -> None:
    apart, together = ScriptedEngine(weak_clusters), ScriptedEngine(weak_clusters)
    await walked(apart, suite_of(100), ("opus",))
    walk, _ = await walked(together, suite_of(100, clusters=10), ("opus",))
    assert len(together.asked) > len(apart.asked)
    assert State.CLEARS != walk.judged[0].state


def weak_clusters(_tier: str, case: int, _epoch: int) -> bool:
    return case % 10 != 3 or case % 20 == 3


def test_too_few_cases_are_told_before_anything_is_asked() -> None:
    with pytest.raises(ValueError, match="cases"):
        Walk(suite_of(5), TIERS, Seen())


@pytest.mark.anyio
async def test_slices_count_by_tag_and_money_by_the_live_price() -> None:
    result, _ = await found(right)
    assert ["even", "odd"] == [one.tag for one in result.slices]
    assert sum(cases for one in result.slices for _, cases in [one.tiers["opus"]]) == result.tiers[-1].cases
    assert (1_000, 9_000) == (result.tiers[0].cost_pico, result.tiers[-1].cost_pico)
    suite = suite_of()
    batched = Walk(suite, ("haiku",), Seen(tried_of("haiku", case, passed=True, batch=True) for case in suite.cases))
    await measure(batched, ScriptedEngine(right), lambda _suite, _need: None)
    (tier,) = finding(batched, MODELS, MONEY).tiers
    assert (1_000, 0) == (tier.cost_pico, tier.latency_ms)
