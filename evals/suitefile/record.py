"""What suite.yaml may say.

Rule: shape, defaults and per-field bounds only; a field's description is what a message says of it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from router.decide.policy.part import Name, Part, Tokens

from ..graders import Options
from ..vocabulary import LOOKS

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
Between = Annotated[float, Meta(gt=0, lt=1)]
Look = Annotated[float, Meta(gt=0, le=1)]


class SuiteFile(Part, frozen=True, kw_only=True):
    task: Annotated[Name, Meta(description="A task of the policy: its requests are shaped as this one's are.")]
    description: Annotated[str, Meta(description="What the suite measures, in a line.")] = ""
    system: Annotated[str, Meta(description="The system prompt of every case.")] = ""
    template: Annotated[str, Meta(description="The prompt; {input} is the field `input` of the case.")] = "{input}"
    grader: Annotated[Any, Meta(description="What grades an answer: its `kind`, and the kind's own options.")]
    bar: Annotated[Between | None, Meta(description="The pass rate that a tier must reach, such as 0.9.")] = None
    margin: Annotated[
        Between | None, Meta(description="How far below the top tier's pass rate a tier may lie, such as 0.05.")
    ] = None
    budget_usd: Annotated[Decimal, Meta(description="What a run of the suite may cost at most.")]
    max_tokens: Annotated[Tokens | None, Meta(description="Of an answer; else as the policy's task says.")] = None
    tiers: Annotated[tuple[Name, ...], Meta(description="The tiers to measure, cheapest first; else all.")] = ()
    looks: Annotated[
        tuple[Look, ...], Meta(description="The planned looks, as shares of the cases; the last is 1.")
    ] = LOOKS


@cache
def with_grader(options: type[Options]) -> type[SuiteFile]:
    """The same, with the options of one kind of grader: so that what is wrong in them is found where it stands."""
    made = msgspec.defstruct(
        "SuiteFile", [("grader", options)], bases=(SuiteFile,), frozen=True, kw_only=True, forbid_unknown_fields=True
    )
    assert issubclass(made, SuiteFile)
    return made
