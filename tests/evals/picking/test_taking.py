"""What of a run counts for routes.yaml, with its figures and its reason, and what does not."""

from __future__ import annotations

import msgspec
import pytest

from evals.picking import NotPicked, Picks, Wanted, picks, unfinished
from evals.vocabulary import Claim, Finding, Run, State
from router.decide.policy import Rulebook
from tests.evals.report.sample import ARITHMETIC, ENTITIES, NOTES, REPAIR, SQL, TICKETS, sample_run, tier
from tests.rulebooks import default_rules

JUDGED = Wanted(with_judged=True)


def picked(*findings: Finding, wanted: Wanted | None = None) -> Picks:
    return picks(sample_run(*findings), default_rules(), wanted or Wanted())


def picked_of(run: Run, wanted: Wanted | None = None) -> Picks:
    return picks(run, default_rules(), wanted or Wanted())


def rules_with(tier: str, model: str | None) -> Rulebook:
    """The shipped policy with another model in a tier, or without the tier."""
    rules = default_rules()
    tiers = dict(rules.policy.tiers)
    if model is None:
        del tiers[tier]
    else:
        tiers[tier] = msgspec.structs.replace(tiers[tier], model=model)
    policy = msgspec.structs.replace(rules.policy, tiers=tiers)
    return msgspec.structs.replace(rules, policy=policy, tier_order=tuple(tiers))


def replaced(finding: Finding, *tiers: object, **more: object) -> Finding:
    return msgspec.structs.replace(finding, tiers=tiers or finding.tiers, **more)


@pytest.mark.parametrize(
    ("finding", "reason"),
    [
        (
            TICKETS,
            ("classify: haiku, 104/108, at least 91.2%, $0.00041 and 0.90 s a case;"
            " sonnet costs 4.1x as much for +2.2 points"),
        ),
        (
            ENTITIES,
            ("extract: sonnet, 119/130, at most 4.1 points below opus, $0.0062 and 3.3 s a case;"
            " opus costs 2.1x as much for +0.8 points"),
        ),
        (
            REPAIR,
            ("code: opus, 58/70, at least 75.2%, $0.029 and 13.9 s a case;"
            " sonnet, 2.0x cheaper, fails (17/28, at least 41.0%)"),
        ),
        (
            SQL,
            ("code: not enough evidence, about 160 more cases would decide opus;"
            " the best is opus, 88/96, at least 84.7%"),
        ),
        (
            replaced(SQL, tier("opus", State.FAILS, "20/40", usd=0.01, at_least=0.34), decided=True),
            "code: no tier is shown to do; the best is opus, 20/40, at least 34.0%",
        ),
        (
            replaced(
                ENTITIES, ENTITIES.tiers[0], tier("opus", State.UNTRIED, words="the mark"), winner="opus", decided=True
            ),
            ("extract: opus, which the others are held against;"
            " haiku fails (61/78, at most 19.0 points below opus)"),
        ),
    ],
)  # fmt: skip
def test_the_reason_holds_the_figures_and_what_the_next_tier_would_give(finding: Finding, reason: str) -> None:
    (one,) = picked(finding).tasks
    assert (reason, finding.winner) == (one.reason, one.verdict.winner)


def test_a_tiers_figures_are_rounded_to_the_careful_side() -> None:
    (one,) = picked(TICKETS).tasks
    haiku, found = one.rows["haiku"], TICKETS.tiers[0]
    assert (108, 104, "claude-haiku-5-5", "2026-11-18") == (haiku.cases, haiku.passed, haiku.model, haiku.measured)
    assert haiku.low is not None
    assert haiku.high is not None
    assert found.low - 1e-4 < haiku.low <= found.low
    assert found.high <= haiku.high < found.high + 1e-4
    assert ("0.00041", 900, 2160, "clears") == (haiku.cost_usd, haiku.latency_ms, haiku.latency_p95_ms, haiku.state)
    assert ("mail-tickets", "5e1f0c22ab90d3e1") == (haiku.suite, haiku.suite_hash)


def test_a_margins_top_tier_is_the_mark_even_where_it_was_hardly_asked() -> None:
    (one,) = picked(replaced(ENTITIES, *ENTITIES.tiers[:2], tier("opus", State.UNTRIED))).tasks
    opus = one.rows["opus"]
    assert (True, 0, 0.0, None) == (opus.mark, opus.cases, opus.below_best, opus.cost_usd)
    assert pytest.approx((0.19, 0.041)) == (one.rows["haiku"].below_best, one.rows["sonnet"].below_best)


def test_a_tier_that_was_not_tried_has_no_row() -> None:
    assert {"sonnet", "opus"} == set(picked(REPAIR).tasks[0].rows)


# ---- several suites of one task


def bar(suite: str, winner: str | None, **tiers: str) -> Finding:
    rows = tuple(tier(name, State.CLEARS, figures) for name, figures in tiers.items())
    return Finding(
        suite=suite, suite_hash=suite, task="code", claim=Claim(kind="bar", value=0.5), winner=winner, tiers=rows
    )


def test_of_two_suites_the_dearer_winner_wins_and_each_tiers_row_is_its_worst() -> None:
    (one,) = picked(
        bar("a", "haiku", haiku="90/100", sonnet="99/100", opus="99/100"),
        bar("b", "sonnet", haiku="55/100", sonnet="80/100", opus="100/100"),
    ).tasks
    assert ("sonnet", ("a", "b")) == (one.winner, one.verdict.suites)
    assert {"haiku": "b", "sonnet": "b", "opus": "a"} == {tier: row.suite for tier, row in one.rows.items()}
    assert one.reason.endswith("; of 2 suites b asked the most")


def test_where_one_suite_has_no_winner_the_task_has_none() -> None:
    (one,) = picked(SQL, REPAIR).tasks
    assert (None, "of 2 suites report-queries asked the most") == (one.winner, one.reason.rpartition("; ")[2])


def test_a_tier_that_one_of_the_suites_never_ran_has_no_row() -> None:
    (one,) = picked(SQL, REPAIR).tasks
    assert {"opus": "small-repairs"} == {tier: row.suite for tier, row in one.rows.items()}


def test_suites_of_a_task_that_share_no_winner_are_left_out() -> None:
    """b shows that sonnet does not do, a never asked opus: no tier is shown to do both."""
    apart = bar("a", "sonnet", haiku="20/100", sonnet="99/100"), bar("b", "opus", sonnet="30/100", opus="99/100")
    why = "b takes opus, which a did not try: give them the same `tiers`"
    found = picked(TICKETS, *apart)
    assert (["classify"], (f"a: {why}", f"b: {why}")) == ([one.task for one in found.tasks], found.left_out)
    with pytest.raises(NotPicked, match="b takes opus, which a did not try"):
        picked(*apart)


def test_where_the_dearest_winner_was_tried_by_all_other_tiers_may_differ() -> None:
    (one,) = picked(
        bar("a", "haiku", haiku="99/100", opus="99/100"), bar("b", "opus", sonnet="30/100", opus="99/100")
    ).tasks
    assert ("opus", {"opus"}) == (one.winner, set(one.rows))


# ---- what is not taken


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ({"rehearsed": True}, "was a rehearsal: its answers were made up"),
        ({"upstream": "standin"}, "asked a stand-in: its answers were made up"),
    ],
)
def test_made_up_answers_are_never_picked_from(run: dict[str, object], told: str) -> None:
    with pytest.raises(NotPicked, match=told):
        picked_of(sample_run(**run))


OPEN = replaced(TICKETS, TICKETS.tiers[0], tier("sonnet", State.OPEN, "20/20"), TICKETS.tiers[2], winner="opus")
ENDED = replaced(TICKETS, tier("haiku", State.UNTRIED), *TICKETS.tiers[1:], winner="sonnet")


@pytest.mark.parametrize(
    ("finding", "told"),
    [
        (OPEN, "not all looks at sonnet were taken; run it again, what was answered is paid"),
        (ENDED, "the run ended before haiku was tried; run it again, what was answered is paid"),
        (replaced(ENTITIES, tier("haiku", State.UNTRIED), *ENTITIES.tiers[1:]), "the run ended before haiku"),
    ],
)
def test_a_suite_that_did_not_come_to_its_end_is_left_out_by_name(finding: Finding, told: str) -> None:
    found = picked_of(sample_run(finding, ARITHMETIC, finished=False, stopped="the cap of $1 is reached"))
    assert ["reasoning"] == [one.task for one in found.tasks]
    assert found.left_out[0].startswith(f"{finding.suite}: {told}")
    assert "the run did not finish (the cap of $1 is reached): only suites that did are taken" in found.warnings


@pytest.mark.parametrize("finding", [TICKETS, ENTITIES, SQL, REPAIR, ARITHMETIC, NOTES])
def test_a_suite_that_came_to_its_end_is_finished_also_where_tiers_were_not_tried(finding: Finding) -> None:
    assert "" == unfinished(finding)


def test_nothing_but_unfinished_suites_is_nothing() -> None:
    with pytest.raises(NotPicked, match="mail-tickets: not all looks at sonnet were taken"):
        picked_of(sample_run(OPEN, finished=False))


def test_what_a_model_graded_is_taken_only_when_asked_for_and_says_so() -> None:
    assert ("release-notes: a model graded it; --with-judged takes it",) == picked(TICKETS, NOTES).left_out
    with pytest.raises(NotPicked, match="--with-judged"):
        picked(NOTES)
    (one,) = picked(NOTES, wanted=JUDGED).tasks
    assert (True, True) == (one.verdict.judged, one.rows["haiku"].judged)


def test_what_a_model_graded_never_mixes_with_exact_grades() -> None:
    judged = replaced(NOTES, task="classify", winner="opus")
    found = picked(TICKETS, judged, wanted=JUDGED)
    (one,) = found.tasks
    assert ("haiku", ("mail-tickets",)) == (one.winner, one.verdict.suites)
    assert ("release-notes: a model graded it, and classify has a suite with exact grades",) == found.left_out


def test_a_winner_that_the_policy_has_no_more_is_refused() -> None:
    with pytest.raises(NotPicked, match="`haiku` on `claude-haiku-5-5`, which the policy has no more"):
        picks(sample_run(TICKETS), rules_with("haiku", None), Wanted())
    with pytest.raises(NotPicked, match="`haiku` on `claude-haiku-5-5`, which is `claude-haiku-4-5` now"):
        picks(sample_run(TICKETS), rules_with("haiku", "claude-haiku-4-5"), Wanted())


def test_the_figures_of_another_tier_that_changed_are_left_out_with_a_word() -> None:
    found = picks(sample_run(TICKETS), rules_with("opus", "claude-opus-5"), Wanted())
    assert {"haiku", "sonnet"} == set(found.tasks[0].rows)
    assert any(
        "`opus` on `claude-opus-5-5`, which is `claude-opus-5` now, are left out" in one for one in found.warnings
    )


def test_a_task_that_the_policy_has_not_is_left_out() -> None:
    found = picked(TICKETS, replaced(ARITHMETIC, task="sums"))
    assert ("word-sums: the policy has no task `sums`",) == found.left_out


def test_another_policy_and_a_changed_suite_are_warned_of() -> None:
    same = sample_run(TICKETS, policy_hash=default_rules().hash)
    assert () == picked_of(same).warnings
    (policy,) = picked(TICKETS).warnings
    assert "made under the policy 0123456789abcdef" in policy
    (suite,) = picked_of(same, Wanted(suite_hashes={"mail-tickets": "other"})).warnings
    assert "the suite mail-tickets has changed since the run: run it again" == suite
