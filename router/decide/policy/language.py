"""The policy language as frozen records: what policyfile/ reads from YAML and every decision takes.

Rule: shape, defaults and per-field bounds only; checks across fields live in policyfile/. The parts that
need room of their own: tasks.py (tiers and tasks), conditions.py (rules), caching.py (cache), failing.py (fallbacks,
retries, breaker, pacing), replying.py (replies, jobs), learning.py (gate,
sampling, agreement), guarding.py (budgets, alerts, rollout), trials.py (tests).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .caching import CacheRules
from .conditions import Rule
from .failing import Breaker, Fallbacks, Pacing, RetryBudget
from .guarding import Alerts, Budget, Rollout
from .learning import GateRules, Sampling
from .part import DifficultyName, Name, Part, Positive, Share, Tokens, WorkloadName
from .replying import Jobs, Replies
from .tasks import Default, Task, Tier
from .trials import Trial


class ClassifierRules(Part, frozen=True, kw_only=True):
    enabled: Annotated[
        bool, Meta(description="Without it every unnamed request takes the default tier.", examples=[False])
    ] = True
    model: Annotated[
        str,
        Meta(description="The model that is asked; thinking must be able to be off.", examples=["claude-haiku-5-5"]),
    ] = "claude-haiku-5-5"
    deadline_ms: Annotated[
        int, Meta(ge=50, le=10_000, description="No verdict by then is the default tier.", examples=[600])
    ] = 800
    max_tokens: Annotated[Tokens, Meta(description="Room for the verdict.", examples=[128])] = 128
    max_chars: Annotated[
        int,
        Meta(
            ge=200,
            le=100_000,
            description="The text that is judged: its head and its tail, at most this long.",
            examples=[3000],
        ),
    ] = 4000
    cap_tier: Annotated[
        Name | None,
        Meta(description="The highest tier that a verdict alone can reach; null is no cap.", examples=["sonnet"]),
    ] = None
    instructions: Annotated[
        str,
        Meta(
            description="Added to the classifier's own instructions.",
            examples=["Requests about money are never simple."],
        ),
    ] = ""
    cache_s: Annotated[
        float, Meta(ge=0, description="How long a verdict is remembered; 0 turns it off.", examples=[600])
    ] = 3600
    cache_entries: Annotated[
        int, Meta(ge=1, le=10_000_000, description="How many verdicts are remembered.", examples=[5000])
    ] = 10_000
    audit_share: Annotated[
        Share,
        Meta(
            description="Of the remembered verdicts that are used, how many are asked anew beside the request, to see"
            " whether the classifier still says the same (the counter `classifier_audits`).",
            examples=[0.01],
        ),
    ] = 0.0


class Routes(Part, frozen=True, kw_only=True):
    """How the measurements of routes.yaml decide: the cheapest tier that clears the bar."""

    enabled: Annotated[
        bool, Meta(description="Without it nothing measured decides, and the difficulty does.", examples=[False])
    ] = True
    bar: Annotated[
        Share,
        Meta(
            description="A tier is good enough for a task when its pass rate is at least this, with 95 % confidence.",
            examples=[0.9],
        ),
    ] = 0.9
    margin: Annotated[
        Share | None,
        Meta(
            description="Or when it is at most this much below the best tier measured, with 95 % confidence;"
            " null: only the bar counts.",
            examples=[0.05],
        ),
    ] = None
    by: Annotated[
        Literal["bar", "verdict"],
        Meta(
            description="`bar`: this policy holds its own bar and margin against the numbers. `verdict`: the tier that"
            " the evals named is taken as it is, while it still is the model that was measured; else the bar.",
            examples=["verdict"],
        ),
    ] = "bar"
    min_cases: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Fewer cases than this are no evidence.", examples=[50])
    ] = 20
    without: Annotated[
        Literal["difficulty", "default", "top", "estimate"],
        Meta(
            description="Where there is no evidence for a task: the difficulty map, the default tier, the highest"
            " tier that a verdict can reach, or the cheapest tier whose estimated pass rate clears the bar (else the"
            " best one). Without enough cases for an estimate it is the difficulty map.",
            examples=["default"],
        ),
    ] = "difficulty"
    prior_cases: Annotated[
        float,
        Meta(
            ge=0,
            le=10_000,
            description="An estimate draws a tier's pass rate on a task towards its rate on the other tasks, as if so"
            " many cases more had gone like those.",
            examples=[8],
        ),
    ] = 8.0
    min_estimate_cases: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Fewer cases than this are no estimate. A graded request of production counts half a case.",
            examples=[20],
        ),
    ] = 10
    max_age_days: Annotated[
        int,
        Meta(ge=1, le=36_500, description="`tierwise check` warns of a measurement that is older.", examples=[90]),
    ] = 180


class Sticky(Part, frozen=True, kw_only=True):
    enabled: Annotated[
        bool, Meta(description="Keep a conversation on its model, unless a move is needed or pays.", examples=[False])
    ] = True
    idle_s: Annotated[
        Positive, Meta(description="A conversation that is silent for longer is forgotten.", examples=[1800])
    ] = 3600.0
    down: Annotated[
        Literal["when_it_pays", "never"],
        Meta(
            description="Whether a conversation may move to a lower tier, once, when its last turns needed no more and"
            " the move costs less than staying where its prompt is cached.",
            examples=["never"],
        ),
    ] = "when_it_pays"
    calm_turns: Annotated[
        int, Meta(ge=1, le=1_000, description="How many turns in a row must have needed less, before.", examples=[5])
    ] = 3


class Limits(Part, frozen=True, kw_only=True):
    deadline_s: Annotated[
        dict[WorkloadName, Positive],
        Meta(
            description="The longest a caller waits, by workload; what is left out keeps its default.",
            examples=[{"interactive": 30}],
        ),
    ] = {}
    first_byte_s: Annotated[Positive, Meta(description="For a model to begin to answer.", examples=[20])] = 30.0
    whole_tokens: Annotated[
        int,
        Meta(
            ge=0,
            le=21_333,
            description="An answer of up to so many max_tokens is asked for whole; a longer one is streamed to us and"
            " put together, so that a model which falls silent is noticed. 0: all are streamed.",
            examples=[2048],
        ),
    ] = 1024
    idle_timeout_s: Annotated[
        Positive, Meta(description="Silence in a stream, pings included, before it is cut.", examples=[30])
    ] = 45.0


class Policy(Part, frozen=True, kw_only=True):
    """A routing policy."""

    version: Annotated[Literal[1], Meta(description="The version of this language.", examples=[1])] = 1
    extends: Annotated[
        str | None,
        Meta(
            description="A preset's name, or a policy file beside this one, that is read first. What stands here is"
            " laid over it key by key, lists are replaced, and null takes a name away.",
            examples=["support-chat"],
        ),
    ] = None
    tiers: Annotated[
        dict[Name, Tier],
        Meta(min_length=1, description="Cheapest first.", examples=[{"haiku": {"model": "claude-haiku-5-5"}}]),
    ]
    default: Annotated[Default | None, Meta(description="Left out: the first tier, the first task.")] = None
    tasks: Annotated[dict[Name, Task], Meta(description="What the classifier may name.")] = {}
    rules: Annotated[
        tuple[Rule, ...], Meta(description="Looked at in order, before the classifier; the first that matches wins.")
    ] = ()
    difficulty: Annotated[
        dict[DifficultyName, Name], Meta(description="Difficulty to tier.", examples=[{"complex": "sonnet"}])
    ] = {}
    classifier: Annotated[ClassifierRules, Meta(description="The small call that names task and difficulty.")] = (
        ClassifierRules()
    )
    routes: Annotated[Routes, Meta(description="How measured pass rates decide.")] = Routes()
    gate: Annotated[GateRules, Meta(description="A small local model, where one was fitted.")] = GateRules()
    sampling: Annotated[Sampling, Meta(description="Prompts that are kept, to learn from.")] = Sampling()
    sticky: Annotated[Sticky, Meta(description="Conversations stay on their model.")] = Sticky()
    cache: Annotated[CacheRules, Meta(description="Marks for the API's prompt cache.")] = CacheRules()
    fallbacks: Annotated[Fallbacks, Meta(description="What happens when a call fails.")] = Fallbacks()
    retries: Annotated[RetryBudget, Meta(description="How many further calls failures may cost.")] = RetryBudget()
    breaker: Annotated[Breaker, Meta(description="When a failing model is left alone for a while.")] = Breaker()
    pacing: Annotated[Pacing, Meta(description="How calls are held back before the API refuses them.")] = Pacing()
    replies: Annotated[Replies, Meta(description="Answers that are given again.")] = Replies()
    jobs: Annotated[Jobs, Meta(description="Requests that are put off and answered later.")] = Jobs()
    budgets: Annotated[
        dict[Name, Budget], Meta(description="How much may be spent, by whom, and what happens then.")
    ] = {}
    limits: Annotated[Limits, Meta(description="How long anybody waits.")] = Limits()
    alerts: Annotated[Alerts, Meta(description="When to call for a person.")] = Alerts()
    rollout: Annotated[
        Rollout | None, Meta(description="A candidate policy, tried beside this one before it takes over.")
    ] = None
    tests: Annotated[
        tuple[Trial, ...], Meta(description="What this policy must decide; `tierwise check` runs them.")
    ] = ()
