"""Measured pass rates decide only with enough evidence, against the lower end of their interval."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import msgspec
import pytest

from router.decide.choosing import Known, choose, wants_verdict
from router.decide.evidence import lower_bound, pick, weighed
from router.decide.policy import Rulebook
from router.policyfile import load
from router.vocabulary import Difficulty, Facts, Verdict

from ..rulebooks import rules_from

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5}
  opus: {model: claude-opus-5-5}
default: {tier: sonnet, task: chat}
tasks: {chat: {description: x}, code: {description: y}}
classifier: {CLASSIFIER}
routes: {ROUTES}
"""
MODELS = {"haiku": "claude-haiku-5-5", "sonnet": "claude-sonnet-5-5", "opus": "claude-opus-5-5"}


VERDICT = "verdicts:\n  chat: {winner: WINNER, claim: passes enough, reason: x, decided: 2026-11-20, run: run_1}\n"


def rules(folder: Path, routes: str = "", classifier: str = "", /, verdict: str = "", **measured: str) -> Rulebook:
    """`measured` by tier: `190/200`, and what more the row says. `verdict` is the winner that the evals named."""
    rows = []
    for tier, said in measured.items():
        figures, _, more = said.partition(" ")
        passed, cases = figures.split("/")
        row = f"model: {MODELS[tier]}, passed: {passed}, cases: {cases}, measured: 2026-11-20"
        rows.append(f"    {tier}: {{{row}{', ' + more if more else ''}}}")
    if rows:
        said = VERDICT.replace("WINNER", verdict) if verdict else ""
        (folder / "routes.yaml").write_text(said + "routes:\n  chat:\n" + "\n".join(rows) + "\n")
    return rules_from(POLICY.replace("{ROUTES}", f"{{{routes}}}").replace("{CLASSIFIER}", f"{{{classifier}}}"), folder)


@pytest.mark.parametrize(("passed", "cases"), [(1, 10), (10, 10), (18, 20), (90, 100), (194, 200), (950, 1000)])
def test_the_bound_is_the_rate_under_which_so_many_would_pass_by_luck_in_one_of_twenty(passed: int, cases: int) -> None:
    """Wilson's: what was seen lies 1.645 standard deviations above it."""
    bound = lower_bound(passed, cases)
    assert passed / cases - bound == pytest.approx(1.644853627 * sqrt(bound * (1 - bound) / cases))
    assert bound < passed / cases


def test_without_cases_or_without_a_pass_nothing_is_sure() -> None:
    assert (0.0, 0.0) == (lower_bound(0, 0), lower_bound(0, 10))


@pytest.mark.parametrize(
    ("measured", "tier"),
    [
        ({"haiku": "196/200", "sonnet": "198/200", "opus": "200/200"}, "haiku"),
        ({"haiku": "180/200", "sonnet": "196/200", "opus": "200/200"}, "sonnet"),  # 90 % is not surely 90 %
        ({"haiku": "100/200", "sonnet": "150/200", "opus": "160/200"}, "opus"),  # none clears: the nearest
        ({"haiku": "160/200", "sonnet": "100/200"}, "haiku"),
        ({"sonnet": "196/200"}, "sonnet"),
    ],
)
def test_the_cheapest_tier_that_clears_the_bar_is_picked(measured: dict[str, str], tier: str, tmp_path: Path) -> None:
    found = pick("chat", None, rules(tmp_path, **measured))
    assert found is not None
    assert tier == found.tier


def test_too_few_cases_are_no_evidence(tmp_path: Path) -> None:
    assert None is pick("chat", None, rules(tmp_path, "min_cases: 50", haiku="49/49"))
    assert None is not pick("chat", None, rules(tmp_path, "min_cases: 49", haiku="49/49"))


def test_a_task_that_nobody_measured_has_no_evidence(tmp_path: Path) -> None:
    assert None is pick("code", None, rules(tmp_path, haiku="200/200"))


def test_measurements_can_be_turned_off(tmp_path: Path) -> None:
    assert () == weighed("chat", rules(tmp_path, "enabled: false", haiku="200/200"))


def test_a_tier_within_the_margin_of_the_best_is_good_enough(tmp_path: Path) -> None:
    near = {"haiku": "150/200 below_best: 0.04", "opus": "160/200"}
    found = pick("chat", None, rules(tmp_path, "margin: 0.05", **near))
    assert found is not None
    assert ("haiku", True) == (found.tier, "is at most 4.0% below the best tier" in found.reason)
    assert "opus" == getattr(pick("chat", None, rules(tmp_path, "margin: 0.03", **near)), "tier", None)
    assert "opus" == getattr(pick("chat", None, rules(tmp_path, **near)), "tier", None)


def test_the_cap_holds_for_evidence_too(tmp_path: Path) -> None:
    found = pick("chat", "sonnet", rules(tmp_path, haiku="100/200", sonnet="150/200", opus="200/200"))
    assert found is not None
    assert "sonnet" == found.tier


def tier_of(book: Rulebook, cap: str | None = None, task: str = "chat") -> str | None:
    found = pick(task, cap, book)
    return None if found is None else found.tier


def test_a_bound_that_was_corrected_for_the_looks_goes_before_wilsons(tmp_path: Path) -> None:
    assert "haiku" == tier_of(rules(tmp_path, haiku="190/200", opus="200/200"))  # at least 91.7 % by Wilson
    book = rules(tmp_path, haiku="190/200 at_least: 0.89", opus="200/200")
    assert ("opus", 0.89) == (tier_of(book), weighed("chat", book)[0].at_least)


def test_no_measurement_leads_to_a_tier_that_must_be_named(tmp_path: Path) -> None:
    book = rules(tmp_path, haiku="100/200", opus="200/200")
    tiers = book.policy.tiers | {"opus": msgspec.structs.replace(book.policy.tiers["opus"], only_by_name=True)}
    policy = msgspec.structs.replace(book.policy, tiers=tiers)
    assert ("opus", "haiku") == (tier_of(book), tier_of(msgspec.structs.replace(book, policy=policy)))


@pytest.mark.parametrize("bar", ["", "margin: 0.05"])
def test_where_nobody_keeps_up_the_tier_that_they_were_held_against_is_taken(bar: str, tmp_path: Path) -> None:
    """It was asked only where a cheaper one failed, so it has no pass rate of its own."""
    figures = {"sonnet": "150/200 below_best: 0.08", "opus": "0/0 mark: true"}
    found = pick("chat", None, rules(tmp_path, bar, **figures))
    assert found is not None
    assert ("opus", True) == (found.tier, "is what the others were held against" in found.reason)
    assert "sonnet" == tier_of(rules(tmp_path, bar, sonnet="199/200", opus="0/0 mark: true"))
    assert None is tier_of(rules(tmp_path, bar, sonnet="9/9", opus="0/0 mark: true"))  # too few to say anything


# ---- the evals' own word


def test_the_winner_of_the_evals_is_taken_where_the_policy_says_so(tmp_path: Path) -> None:
    figures = {"haiku": "150/200", "sonnet": "196/200"}
    assert "sonnet" == tier_of(rules(tmp_path, "", verdict="haiku", **figures))
    found = pick("chat", None, rules(tmp_path, "by: verdict", verdict="haiku", **figures))
    assert found is not None
    assert ("haiku", "chat: the evals of 2026-11-20 named haiku: it passes enough (run_1)") == (
        found.tier,
        found.reason,
    )


def test_it_is_taken_however_few_the_cases_and_never_above_the_cap(tmp_path: Path) -> None:
    assert "haiku" == tier_of(rules(tmp_path, "by: verdict", verdict="haiku", haiku="29/29"))
    book = rules(tmp_path, "by: verdict", verdict="opus", haiku="100/200", sonnet="150/200", opus="200/200")
    assert ("opus", "sonnet") == (tier_of(book), tier_of(book, "sonnet"))


def test_a_winner_whose_model_changed_leaves_it_to_the_bar(tmp_path: Path) -> None:
    book = rules(tmp_path, "by: verdict", verdict="haiku", haiku="196/200", sonnet="199/200")
    path = tmp_path / "routes.yaml"
    path.write_text(path.read_text().replace(MODELS["haiku"], "claude-haiku-4-5"))
    changed = load(tmp_path / "policy.yaml")
    assert ("haiku", "sonnet") == (tier_of(book), tier_of(changed))
    assert any("no measurement of its winner `haiku` counts any more" in warning for warning in changed.warnings)


# ---- estimates, where nobody can be sure


ESTIMATE = "min_cases: 50, without: estimate"


@pytest.mark.parametrize(
    ("measured", "tier"),
    [
        ({"haiku": "40/40", "opus": "40/40"}, "haiku"),  # 44 of 48 as it were: 91.7 %
        ({"haiku": "30/40", "sonnet": "39/40", "opus": "40/40"}, "opus"),  # sonnet: 43 of 48
        ({"haiku": "20/30", "sonnet": "25/30"}, "sonnet"),  # none clears: the best
        ({"haiku": "9/9"}, None),  # too few even for that
    ],
)
def test_the_cheapest_tier_of_which_enough_is_to_be_expected_stands_in(
    measured: dict[str, str], tier: str | None, tmp_path: Path
) -> None:
    assert tier == tier_of(rules(tmp_path, ESTIMATE, **measured))
    assert None is tier_of(rules(tmp_path, "min_cases: 50", **measured))


def test_evidence_goes_before_an_estimate_and_the_cap_holds_for_both(tmp_path: Path) -> None:
    book = rules(tmp_path, ESTIMATE, haiku="40/40", sonnet="196/200")
    assert ("sonnet", "haiku") == (tier_of(book), tier_of(book, "haiku"))


def test_an_estimate_says_what_it_is_made_of(tmp_path: Path) -> None:
    found = pick("chat", None, rules(tmp_path, ESTIMATE, haiku="40/40 sampled_cases: 20, sampled_passed: 20"))
    assert found is not None
    assert (
        "chat: too few cases to be sure; haiku is the cheapest of which 90% is to be expected"
        " (93.1% from 50 cases and its 50.0% elsewhere)"
    ) == found.reason


def chosen(book: Rulebook, task: str | None = None, verdict: Verdict | None = None) -> tuple[str | None, str]:
    choice = choose(Known(facts=Facts(), task=task), verdict, book)
    return choice.tier, choice.reason


SAID = Verdict(task="chat", difficulty=Difficulty.EDGE_CASE, source="classifier")
OTHER = Verdict(task="code", difficulty=Difficulty.SIMPLE, source="classifier")


def test_measurements_go_before_the_difficulty(tmp_path: Path) -> None:
    book = rules(tmp_path, haiku="199/200")
    assert (
        "haiku",
        "chat: haiku is the cheapest that clears the bar of 90% (199/200 passed, at least 97.8%)",
    ) == chosen(book, verdict=SAID)
    assert "haiku" == chosen(book, verdict=OTHER)[0]  # its own difficulty: nobody measured it


def test_a_named_task_that_is_measured_needs_no_classifier(tmp_path: Path) -> None:
    book = rules(tmp_path, haiku="199/200")
    assert not wants_verdict(Known(facts=Facts(), task="chat"), book)
    assert wants_verdict(Known(facts=Facts(), task="code"), book)
    assert wants_verdict(Known(facts=Facts()), book)
    assert "haiku" == chosen(book, task="chat")[0]


def test_a_prompt_that_talks_the_classifier_into_a_task_stays_below_the_cap_and_a_named_task_does_not(
    tmp_path: Path,
) -> None:
    book = rules(tmp_path, "", "cap_tier: sonnet", haiku="100/200", sonnet="150/200", opus="200/200")
    assert ("sonnet", "opus") == (chosen(book, verdict=SAID)[0], chosen(book, task="chat")[0])


@pytest.mark.parametrize(
    ("without", "tier", "reason"),
    [
        ("difficulty", "haiku", "code, simple: the policy sends it to haiku"),
        ("estimate", "haiku", "code, simple: the policy sends it to haiku"),  # of nothing, none can be made
        ("default", "sonnet", "code is not measured: the policy's default tier sonnet"),
        ("top", "opus", "code is not measured: the highest tier that a verdict can reach, opus"),
    ],
)
def test_what_decides_without_evidence_is_the_policys_to_say(
    without: str, tier: str, reason: str, tmp_path: Path
) -> None:
    book = rules(tmp_path, f"without: {without}", haiku="199/200")
    assert (tier, reason) == chosen(book, verdict=OTHER)
    assert (without in ("difficulty", "estimate")) == wants_verdict(Known(facts=Facts(), task="code"), book)
