"""The rules of a policy: what a request must look like, and where it goes then.

Rule: shape and bounds only; decide/rules.py says whether a request matches. No expressions: every condition
is a key, all the keys of a `when` must hold, and a list holds when any of its entries does.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .part import Name, Part, WorkloadName

Count = Annotated[int, Meta(ge=0, le=100_000_000)]


class Range(Part, frozen=True, kw_only=True):
    at_least: Annotated[Count | None, Meta(description="This much or more.", examples=[20_000])] = None
    below: Annotated[Count | None, Meta(description="Less than this.", examples=[100_000])] = None


class When(Part, frozen=True, kw_only=True):
    """All of these must hold; without any, every request matches. In a name, `*` stands for anything."""

    feature: Annotated[
        tuple[str, ...], Meta(description="The caller's `router.feature`.", examples=[["support", "billing-*"]])
    ] = ()
    user: Annotated[tuple[str, ...], Meta(description="The caller's `router.user`.", examples=["trial-*"])] = ()
    session: Annotated[
        tuple[str, ...], Meta(description="The caller's `router.session`.", examples=["load-test-*"])
    ] = ()
    tenant: Annotated[
        tuple[str, ...], Meta(description="Whose key was sent: a name of TIERWISE_KEYS.", examples=["web"])
    ] = ()
    task: Annotated[
        tuple[str, ...], Meta(description="The caller's `router.task`, not the classifier's.", examples=["chat"])
    ] = ()
    model: Annotated[
        tuple[str, ...],
        Meta(
            description="The model as the caller wrote it. Only a rule that looks at it may overrule a model that the"
            " caller named.",
            examples=["claude-opus-*"],
        ),
    ] = ()
    workload: Annotated[
        tuple[WorkloadName, ...], Meta(description="The caller's `router.workload`.", examples=["batch"])
    ] = ()
    header: Annotated[
        dict[str, tuple[str, ...]],
        Meta(
            description="Headers of the request, by lower-case name; one that holds a secret cannot be named.",
            examples=[{"x-claude-code-request-class": "auxiliary"}],
        ),
    ] = {}
    tools: Annotated[bool | None, Meta(description="Whether the request has tools.", examples=[True])] = None
    images: Annotated[bool | None, Meta(description="Whether it holds images.", examples=[True])] = None
    documents: Annotated[bool | None, Meta(description="Whether it holds documents.", examples=[True])] = None
    input_tokens: Annotated[
        Range | None,
        Meta(description="The prompt's estimated length in tokens.", examples=[{"at_least": 100_000}]),
    ] = None
    turns: Annotated[
        Range | None,
        Meta(description="Messages in the conversation, the new one included.", examples=[{"at_least": 10}]),
    ] = None
    language: Annotated[
        tuple[str, ...],
        Meta(
            description="The language of the user's last text, as ISO 639-1 codes; needs the extra `language`.",
            examples=[["de", "fr"]],
        ),
    ] = ()
    keywords: Annotated[
        tuple[str, ...],
        Meta(
            description="Whole words or phrases in the user's last text, upper or lower case.",
            examples=[["refund", "invoice number"]],
        ),
    ] = ()
    matches: Annotated[
        str | None,
        Meta(
            description="A regular expression (RE2's syntax, linear in time) found in the user's last text.",
            examples=["(?i)order +#?[0-9]{6,}"],
        ),
    ] = None


class Rule(Part, frozen=True, kw_only=True):
    """One of tier, model, refuse and canned; or a task, alone or beside a tier or a model."""

    name: Annotated[
        Name, Meta(description="How the rule is called in reasons; each name once.", examples=["to-sonnet"])
    ]
    when: Annotated[When, Meta(description="What the request must look like; left out, every request matches.")] = (
        When()
    )
    tier: Annotated[Name | None, Meta(description="The tier it goes to.", examples=["sonnet"])] = None
    model: Annotated[
        str | None,
        Meta(description="The model it goes to, also one that no tier holds.", examples=["claude-opus-5-5"]),
    ] = None
    task: Annotated[
        Name | None,
        Meta(
            description="The task that it is; without a tier beside it the classifier still says how hard it is.",
            examples=["chat"],
        ),
    ] = None
    refuse: Annotated[
        str | None,
        Meta(
            description="Answer with this as an error (403, router_refused) and ask nobody.",
            examples=["Please send no card numbers."],
        ),
    ] = None
    canned: Annotated[
        str | None,
        Meta(
            description="Answer with this text and ask nobody; on /v1/messages as a message too.",
            examples=["We are closed until Monday. ({request_id})"],
        ),
    ] = None
