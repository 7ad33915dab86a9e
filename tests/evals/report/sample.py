"""A run as it could have been: six suites, three tiers, one without enough evidence, one that a model graded."""

from __future__ import annotations

from math import sqrt

import msgspec

from evals.vocabulary import Claim, Finding, Pair, Run, Slice, State, TierFinding

USD = 1_000_000_000_000
AT_MS = 1_795_000_000_000  # 2026-11-18
MODELS = {"haiku": "claude-haiku-5-5", "sonnet": "claude-sonnet-5-5", "opus": "claude-opus-5-5"}
Z = 1.959963984540054
NEVER = "not tested: a tier above it decided"


def wilson(passed: int, cases: int) -> tuple[float, float]:
    rate = passed / cases
    middle, spread = rate + Z * Z / (2 * cases), Z * sqrt(rate * (1 - rate) / cases + Z * Z / (4 * cases * cases))
    return (middle - spread) / (1 + Z * Z / cases), (middle + spread) / (1 + Z * Z / cases)


def tier(
    name: str, state: State, figures: str = "", /, usd: float = 0.0, s: float = 0.0, **more: object
) -> TierFinding:
    """`figures`: passed/cases."""
    found = TierFinding(tier=name, model=MODELS[name], state=state, words=NEVER if not figures else "")
    if not figures:
        return msgspec.structs.replace(found, **more)
    passed, cases = (int(one) for one in figures.split("/"))
    low, high = wilson(passed, cases)
    seen = {"cases": cases, "passed": passed, "low": low, "high": high, "at_least": max(0.0, low - 0.005)}
    costs = {"cost_pico": round(usd * USD), "latency_ms": round(1000 * s), "latency_p95_ms": round(2400 * s)}
    return msgspec.structs.replace(found, **{**seen, **costs, "words": f"{passed}/{cases} passed", **more})


TICKETS = Finding(
    suite="mail-tickets",
    suite_hash="5e1f0c22ab90d3e1",
    task="classify",
    claim=Claim(kind="bar", value=0.9),
    winner="haiku",
    words="haiku is the cheapest tier that passes at least 90% of cases: it clears the bar (104/108, look 5 of 5).",
    decided=True,
    tiers=(
        tier("haiku", State.CLEARS, "104/108", usd=0.00041, s=0.9, at_least=0.912),
        tier("sonnet", State.CLEARS, "64/65", usd=0.0017, s=1.6, at_least=0.918),
        tier("opus", State.CLEARS, "43/43", usd=0.0041, s=2.4, at_least=0.921),
    ),
    slices=(
        Slice(tag="billing", tiers={"haiku": (29, 30), "sonnet": (18, 18), "opus": (12, 12)}),
        Slice(tag="two topics", tiers={"haiku": (13, 16), "sonnet": (9, 10), "opus": (6, 6)}),
    ),
    pairs=(
        Pair(
            case="t-047",
            better="sonnet",
            worse="haiku",
            expected="refund",
            better_text="refund",
            worse_text="billing",
            why="expected refund, got billing",
            repeats=("pass/fail", "pass/fail"),
        ),
        Pair(
            case="t-081",
            better="haiku",
            worse="sonnet",
            expected="<account & login>",
            better_text="<account & login>",
            worse_text="technical\n" + "The customer cannot sign in after the update of the application. " * 6,
            why="expected <account & login>, got technical",
            repeats=("pass/pass", "fail/pass"),
        ),
    ),
    cases_total=108,
    calls=216,
    calls_fixed=324,
    spent_pico=round(0.331 * USD),
    worth_pico=round(0.331 * USD),
)
ENTITIES = Finding(
    suite="letter-entities",
    suite_hash="90ab41cc7d20e5f6",
    task="extract",
    claim=Claim(kind="margin", value=0.05),
    winner="sonnet",
    words="sonnet is the cheapest tier that is at most 5 points below the top tier. haiku: 9 points below at most.",
    decided=True,
    tiers=(
        tier("haiku", State.FAILS, "61/78", usd=0.0009, s=1.8, below_top=0.19),
        tier("sonnet", State.CLEARS, "119/130", usd=0.0062, s=3.3, below_top=0.041),
        tier("opus", State.CLEARS, "120/130", usd=0.0128, s=5.1, words="what the others are held against"),
    ),
    slices=(Slice(tag="dates", tiers={"haiku": (20, 24), "sonnet": (36, 38), "opus": (37, 38)}),),
    cases_total=130,
    calls=338,
    calls_fixed=390,
    spent_pico=round(2.55 * USD),
    worth_pico=round(2.55 * USD),
)
SQL = Finding(
    suite="report-queries",
    suite_hash="17d2aa01bb34c9f0",
    task="code",
    claim=Claim(kind="bar", value=0.9),
    winner=None,
    words="not enough evidence. opus: not enough evidence, about 160 more cases would decide.",
    decided=False,
    tiers=(
        tier("haiku", State.UNTRIED),
        tier("sonnet", State.UNTRIED),
        tier("opus", State.UNDECIDED, "88/96", usd=0.0151, s=6.2, at_least=0.847, more_cases=160),
    ),
    cases_total=96,
    calls=96,
    calls_fixed=96,
    spent_pico=round(1.45 * USD),
    worth_pico=round(1.45 * USD),
)
REPAIR = Finding(
    suite="small-repairs",
    suite_hash="e00c12345678aaaa",
    task="code",
    claim=Claim(kind="bar", value=0.75),
    winner="opus",
    words="opus is the cheapest tier that passes at least 75% of cases. sonnet: no hope is left.",
    decided=True,
    tiers=(
        tier("haiku", State.UNTRIED),
        tier("sonnet", State.FAILS, "17/28", usd=0.0144, s=8.5, at_least=0.41),
        tier("opus", State.CLEARS, "58/70", usd=0.0293, s=13.9, at_least=0.752),
    ),
    cases_total=70,
    calls=98,
    calls_fixed=140,
    spent_pico=round(2.45 * USD),
    worth_pico=round(2.45 * USD),
)
ARITHMETIC = Finding(
    suite="word-sums",
    suite_hash="a1a1b2b2c3c3d4d4",
    task="reasoning",
    claim=Claim(kind="bar", value=0.9),
    winner="sonnet",
    words="sonnet is the cheapest tier that passes at least 90% of cases. haiku: no hope is left.",
    decided=True,
    tiers=(
        tier("haiku", State.FAILS, "33/48", usd=0.0012, s=2.1, at_least=0.53),
        tier("sonnet", State.CLEARS, "117/120", usd=0.0069, s=4.8, at_least=0.914),
        tier("opus", State.CLEARS, "70/72", usd=0.0187, s=7.7, at_least=0.905),
    ),
    slices=(Slice(tag="units", tiers={"haiku": (9, 16), "sonnet": (40, 40), "opus": (23, 24)}),),
    cases_total=120,
    calls=240,
    calls_fixed=360,
    spent_pico=round(2.23 * USD),
    worth_pico=round(2.23 * USD),
)
NOTES = Finding(
    suite="release-notes",
    suite_hash="77778888aaaabbbb",
    task="write",
    claim=Claim(kind="margin", value=0.1),
    judged=True,
    winner="haiku",
    words="haiku is the cheapest tier that is at most 10 points below the top tier (the judge agreed with itself in 91%"
    " of swapped pairs; corrected by 120 human labels).",
    decided=True,
    tiers=(
        tier("haiku", State.CLEARS, "51/62", usd=0.0006, s=2.0, below_top=0.09, words="corrected 80% (70% to 89%)"),
        tier("sonnet", State.CLEARS, "54/62", usd=0.0051, s=3.9, below_top=0.06, words="corrected 86% (76% to 94%)"),
        tier("opus", State.UNTRIED, words="the mark for the others; asked on 11 cases"),
    ),
    cases_total=62,
    calls=135,
    calls_fixed=186,
    spent_pico=round(1.2 * USD),
    worth_pico=round(1.2 * USD),
)
FINDINGS = (TICKETS, ENTITIES, SQL, REPAIR, ARITHMETIC, NOTES)


def sample_run(*findings: Finding, **more: object) -> Run:
    run = Run(
        run_id="run_20261118_0f3c",
        at_ms=AT_MS,
        upstream="api",
        policy="policies/default.yaml",
        policy_hash="0123456789abcdef",
        finished=True,
        findings=findings or FINDINGS,
    )
    return msgspec.structs.replace(run, **more)
