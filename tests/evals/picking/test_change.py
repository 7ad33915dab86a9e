"""routes.yaml after a run, and what the policy makes of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from evals.labels import Graded
from evals.picking import Picks, Wanted, effects, merged, narrower, picks, text_of, with_routes
from evals.vocabulary import Finding, State
from router.decide.evidence import pick
from router.decide.policy import Measured, RouteFile, Routes, Rulebook
from router.policyfile import DEFAULT_POLICY, load
from tests.evals.report.sample import ENTITIES, REPAIR, SQL, TICKETS, sample_run, tier
from tests.rulebooks import POLICIES, default_rules

OTHER = Measured(model="claude-opus-5-5", cases=60, passed=60, measured="2026-11-01")
AT_MS = 1_795_100_000_000  # 2026-11-19


def found(*findings: Finding) -> Picks:
    return picks(sample_run(*findings), default_rules(), Wanted())


def wanting(**routes: object) -> Rulebook:
    rules = default_rules()
    policy = msgspec.structs.replace(rules.policy, routes=Routes(**routes))  # type: ignore[arg-type]
    return msgspec.structs.replace(rules, policy=policy)


def after(rules: Rulebook, *findings: Finding) -> Rulebook:
    return with_routes(rules, merged(RouteFile(), found(*findings), rules))


def test_tasks_of_the_run_are_replaced_as_a_whole_and_others_stay() -> None:
    old = RouteFile(routes={"write": {"opus": OTHER}, "code": {"haiku": OTHER, "opus": OTHER}})
    new = merged(old, found(REPAIR, TICKETS), default_rules())
    assert {"opus": OTHER} == new.routes["write"]
    assert {"sonnet", "opus"} == set(new.routes["code"])
    assert ["write", "code", "classify"] == list(new.routes)  # those that are there first, as they stand
    assert ["haiku", "sonnet", "opus"] == list(new.routes["classify"])
    assert {"code", "classify"} == set(new.verdicts)


def test_the_same_run_twice_changes_nothing() -> None:
    once = merged(RouteFile(), found(), default_rules())
    assert once == merged(once, found(), default_rules())


def test_a_verdict_that_rested_on_more_suites_is_told_of() -> None:
    old = merged(RouteFile(), found(SQL, REPAIR), default_rules())
    assert ["code: the present verdict rests on report-queries too, which this run has not"] == list(
        narrower(old, found(REPAIR))
    )
    assert [] == list(narrower(old, found(SQL, REPAIR)))


# ---- graded requests


def graded(model: str = "claude-haiku-5-5") -> dict[str, dict[str, Graded]]:
    return {"classify": {"haiku": Graded(model=model, cases=40, passed=38, newest_ms=AT_MS)}}


def test_graded_requests_stand_beside_the_cases() -> None:
    row = merged(RouteFile(), found(TICKETS), default_rules(), graded()).routes["classify"]["haiku"]
    assert (108, 104, 40, 38, "2026-11-19") == (
        row.cases, row.passed, row.sampled_cases, row.sampled_passed, row.sampled_day
    )  # fmt: skip


def test_they_stay_when_a_later_run_brings_none_and_alone_they_are_no_evidence() -> None:
    nothing = Picks(run_id="requests", tasks=())
    alone = merged(RouteFile(), nothing, default_rules(), graded())
    assert (0, 40) == (alone.routes["classify"]["haiku"].cases, alone.routes["classify"]["haiku"].sampled_cases)
    assert None is pick("classify", None, with_routes(default_rules(), alone))
    kept = merged(alone, found(TICKETS), default_rules()).routes["classify"]["haiku"]
    assert (108, 40) == (kept.cases, kept.sampled_cases)


def test_those_of_another_model_say_nothing() -> None:
    assert {} == merged(RouteFile(), Picks(run_id="requests", tasks=()), default_rules(), graded("old")).routes
    old = RouteFile(routes={"classify": {"haiku": Measured(model="old", cases=9, passed=9, measured="2026-11-01",
                                                           sampled_cases=5, sampled_passed=5)}})  # fmt: skip
    assert 0 == merged(old, found(TICKETS), default_rules()).routes["classify"]["haiku"].sampled_cases


# ---- what the policy does with it


def test_the_policy_as_it_would_be_is_the_one_that_is_loaded_from_the_file(tmp_path: Path) -> None:
    file = merged(RouteFile(), found(), default_rules())
    (tmp_path / "routes.yaml").write_text(text_of(file))
    (tmp_path / "policy.yaml").write_text(DEFAULT_POLICY.read_text())
    loaded = load(tmp_path / "policy.yaml", POLICIES / "models.yaml", POLICIES / "prices.yaml")
    assert () == loaded.warnings
    assert loaded.routes == with_routes(default_rules(), file).routes


def test_an_effect_names_the_tier_before_and_after_with_the_policys_reason() -> None:
    rules = default_rules()
    (one,) = effects(found(TICKETS), rules, after(rules, TICKETS))
    assert (None, "haiku", "haiku", "") == (one.before, one.after, one.named, one.why_not_named)
    assert "haiku is the cheapest that clears the bar of 90% (104/108 passed, at least 91.2%)" in one.reason


FEW = msgspec.structs.replace(TICKETS, tiers=(tier("haiku", State.CLEARS, "29/29", at_least=0.902), *TICKETS.tiers[1:]))


@pytest.mark.parametrize(
    ("rules", "finding", "tier", "why"),
    [
        (
            wanting(),
            ENTITIES,
            "opus",
            "the policy's own bar is 90%, and it knows no margin; the suite's claim: it is at",
        ),
        (wanting(margin=0.02), ENTITIES, "opus", "and it takes 2 points below the best"),
        (wanting(margin=0.05), ENTITIES, "sonnet", ""),
        (wanting(by="verdict"), ENTITIES, "sonnet", ""),
        (wanting(min_cases=50), FEW, "sonnet", "haiku was decided by 29 cases, and `routes.min_cases` is 50"),
        (wanting(enabled=False), TICKETS, None, "`routes.enabled` is false"),
    ],
)
def test_where_the_policy_goes_elsewhere_than_the_evals_it_is_said_why(
    rules: Rulebook, finding: Finding, tier: str | None, why: str
) -> None:
    (one,) = effects(found(finding), rules, after(rules, finding))
    assert tier == one.after
    assert why in one.why_not_named
    assert bool(why) == bool(one.why_not_named)


def test_a_winner_above_the_cap_is_for_callers_who_name_the_task() -> None:
    rules = default_rules()
    capped = msgspec.structs.replace(rules.policy.classifier, cap_tier="sonnet")
    rules = msgspec.structs.replace(rules, policy=msgspec.structs.replace(rules.policy, classifier=capped))
    (one,) = effects(found(REPAIR), rules, after(rules, REPAIR))
    assert "`classifier.cap_tier` is sonnet; a caller who names the task gets opus" == one.why_not_named
