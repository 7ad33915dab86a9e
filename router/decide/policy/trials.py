"""The tests that a policy carries: a request, what the classifier would say of it, and what must be decided.

Rule: shape and bounds only; decide/trial.py runs them.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from .part import DifficultyName, Name, Part, Tokens


class Given(Part, frozen=True, kw_only=True):
    """The request. What is left out is left out of the request too."""

    prompt: Annotated[str | None, Meta(description="The user's text.", examples=["Where is my parcel?"])] = None
    body: Annotated[
        dict[str, Any] | None,
        Meta(
            description="Instead of a prompt: any body of /complete or the Messages API.",
            examples=[{"max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}],
        ),
    ] = None
    headers: Annotated[
        dict[str, str], Meta(description="Headers, by lower-case name.", examples=[{"x-router-feature": "chat"}])
    ] = {}
    feature: Annotated[str | None, Meta(description="As `router.feature`.", examples=["support"])] = None
    user: Annotated[str | None, Meta(description="As `router.user`.", examples=["trial-7"])] = None
    session: Annotated[str | None, Meta(description="As `router.session`.", examples=["s1"])] = None
    tenant: Annotated[str, Meta(description="Whose key was sent.", examples=["web"])] = "local"
    task: Annotated[str | None, Meta(description="As `router.task`.", examples=["chat"])] = None
    workload: Annotated[str | None, Meta(description="As `router.workload`.", examples=["batch"])] = None
    model: Annotated[str | None, Meta(description="The `model` that the caller writes.", examples=["auto"])] = None
    input_tokens: Annotated[
        Tokens | None, Meta(description="As if the prompt were about this long.", examples=[120_000])
    ] = None


class Said(Part, frozen=True, kw_only=True):
    """What the classifier would say."""

    task: Annotated[Name, Meta(description="The task.", examples=["chat"])]
    difficulty: Annotated[DifficultyName, Meta(description="The difficulty.", examples=["simple"])]


class Expected(Part, frozen=True, kw_only=True):
    """What must be decided; only what is named is held against the decision."""

    tier: Annotated[Name | None, Meta(description="The tier.", examples=["haiku"])] = None
    model: Annotated[str | None, Meta(description="The model.", examples=["claude-haiku-5-5"])] = None
    task: Annotated[Name | None, Meta(description="The task.", examples=["chat"])] = None
    rule: Annotated[Name | None, Meta(description="The rule that matched.", examples=["to-sonnet"])] = None
    reason: Annotated[str | None, Meta(description="A part of the reason.", examples=["simple"])] = None
    refused: Annotated[bool | None, Meta(description="Whether a rule refuses it.", examples=[False])] = None
    canned: Annotated[bool | None, Meta(description="Whether a rule answers with a text.", examples=[False])] = None


class Trial(Part, frozen=True, kw_only=True):
    name: Annotated[str, Meta(description="What is true, in a few words.", examples=["a greeting stays cheap"])]
    given: Annotated[Given, Meta(description="The request.")]
    verdict: Annotated[
        Said | None, Meta(description="What the classifier would say; left out, it says nothing in time.")
    ] = None
    pinned: Annotated[Name | None, Meta(description="The tier that the conversation is on.", examples=["sonnet"])] = (
        None
    )
    expect: Annotated[Expected, Meta(description="What must be decided.")]
