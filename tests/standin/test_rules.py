"""What the API refuses, model by model, as one table; and that no body can do worse than be refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.standin import StandIn
from router.standin.connection import Request
from router.standin.models import MODELS, find
from router.standin.refused import Refused
from router.standin.rules import check_prompt, check_request

from .scene import NEWEST, NOW_MS, OLD, StoppedClock, body, says

HAIKU, SONNET, OPUS, FABLE, OLD_HAIKU = (
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-opus-5-5",
    "claude-fable-5-2",
    "claude-haiku-4-5",
)
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def text(words: str = "word", **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def schema(**more: Any) -> dict[str, Any]:
    whole = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    return {"format": {"type": "json_schema", "schema": whole | more}}


def verdict(fields: dict[str, Any], headers: dict[str, str] = NEWEST, counting: bool = False) -> tuple[int, str]:
    """The status and type that a body gets; (200, "") when it is taken."""
    try:
        model = check_request(fields, headers, lambda name: find(name, NOW_MS), counting)
        check_prompt(fields, model)
    except Refused as refused:
        return refused.status, refused.type
    return 200, ""


TAKEN = {
    "haiku without thinking": body(model=HAIKU, thinking={"type": "disabled"}),
    "haiku, no thinking at high effort": body(thinking={"type": "disabled"}, output_config={"effort": "high"}),
    "sonnet between tools": body(model=SONNET, thinking={"type": "between_tools"}),
    "opus adaptive": body(model=OPUS, thinking={"type": "adaptive"}),
    "old haiku with a budget": body(
        model=OLD_HAIKU, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048
    ),
    "haiku with a forced tool": body(tools=[TOOL], tool_choice={"type": "any"}),
    "prefill on old haiku": body(model=OLD_HAIKU, messages=[*says("a"), {"role": "assistant", "content": "b"}]),
    "opus fast": body(model=OPUS, speed="fast"),
    "four marks": body(system=[text(cache_control=MARK) for _ in range(4)]),
    "1h before 5m": body(system=[text(cache_control=HOUR), text(cache_control=MARK)]),
    "a schema": body(output_config=schema()),
    "a property called maximum": body(output_config=schema(properties={"maximum": {"type": "integer"}})),
    "warming up": body(max_tokens=0),
    "a system turn": body(messages=[*says("a"), {"role": "system", "content": "b"}]),
    "a dated name": body(model="claude-haiku-4-5-20251001"),
    "an answered tool call": body(
        messages=[
            *says("a"),
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "fine"}]},
        ]
    ),
}

REFUSED = {
    "no model": body() | {"model": None},
    "no max_tokens": body(max_tokens=None),
    "negative max_tokens": body(max_tokens=-1),
    "true for max_tokens": body(max_tokens=True),
    "too many max_tokens": body(max_tokens=128_001),
    "too many for an old model": body(model=OLD_HAIKU, max_tokens=64_001),
    "no messages": body(messages=[]),
    "messages of the wrong type": body(messages="hello"),
    "an unknown role": body(messages=[{"role": "robot", "content": "a"}]),
    "assistant first": body(messages=[{"role": "assistant", "content": "a"}, *says("b")]),
    "empty content": body(messages=says("")),
    "a blank text block": body(messages=[{"role": "user", "content": [text(" ")]}]),
    "an unknown field": body() | {"router": {}},
    "stream as a number": body() | {"stream": 0},
    "disabled thinking on sonnet": body(model=SONNET, thinking={"type": "disabled"}),
    "disabled thinking on opus": body(model=OPUS, thinking={"type": "disabled"}),
    "disabled thinking on fable": body(model=FABLE, thinking={"type": "disabled"}),
    "haiku, no thinking at xhigh effort": body(thinking={"type": "disabled"}, output_config={"effort": "xhigh"}),
    "sonnet between tools at max": body(
        model=SONNET, thinking={"type": "between_tools"}, output_config={"effort": "max"}
    ),
    "between tools on opus": body(model=OPUS, thinking={"type": "between_tools"}),
    "a budget on haiku": body(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2048),
    "adaptive on old haiku": body(model=OLD_HAIKU, thinking={"type": "adaptive"}),
    "effort on old haiku": body(model=OLD_HAIKU, output_config={"effort": "low"}),
    "an unknown effort": body(output_config={"effort": "enormous"}),
    "a forced tool on sonnet": body(model=SONNET, tools=[TOOL], tool_choice={"type": "any"}),
    "a forced tool on opus": body(model=OPUS, tools=[TOOL], tool_choice={"type": "tool", "name": "look"}),
    "a forced tool on fable": body(model=FABLE, tools=[TOOL], tool_choice={"type": "any"}),
    "a tool that is not there": body(tools=[TOOL], tool_choice={"type": "tool", "name": "other"}),
    "tool_choice without tools": body(tool_choice={"type": "auto"}),
    "two tools of one name": body(tools=[TOOL, TOOL]),
    "temperature": body(temperature=1),
    "temperature on old haiku": body(model=OLD_HAIKU, temperature=0),
    "prefill": body(messages=[*says("a"), {"role": "assistant", "content": "{"}]),
    "five marks": body(system=[text(cache_control=MARK) for _ in range(5)]),
    "four marks and an automatic one": body(system=[text(cache_control=MARK) for _ in range(4)], cache_control=MARK),
    "1h after 5m": body(system=[text(cache_control=MARK), text(cache_control=HOUR)]),
    "1h after 5m, by the order of levels": body(
        system=[text(cache_control=MARK)], messages=[{"role": "user", "content": [text(cache_control=HOUR)]}]
    ),
    "automatic 1h on a 5m block": body(
        messages=[{"role": "user", "content": [text(cache_control=MARK)]}], cache_control=HOUR
    ),
    "an unknown ttl": body(system=[text(cache_control={"type": "ephemeral", "ttl": "2h"})]),
    "an unknown kind of mark": body(system=[text(cache_control={"type": "eternal"})]),
    "an open schema": body(output_config=schema(additionalProperties=True)),
    "a schema with a length": body(output_config=schema(properties={"a": {"type": "string", "minLength": 1}})),
    "a format without a schema": body(output_config={"format": {"type": "json_schema"}}),
    "geo on an old model": body(model=OLD_HAIKU, inference_geo="us"),
    "fast haiku": body(speed="fast"),
    "fast opus 5 without its header": body(model="claude-opus-5", speed="fast"),
    "warming up a stream": body(max_tokens=0, stream=True),
    "warming up with a schema": body(max_tokens=0, output_config=schema()),
    "a system turn on sonnet 5": body(
        model="claude-sonnet-5", messages=[*says("a"), {"role": "system", "content": "b"}]
    ),
    "an unanswered tool call": body(
        messages=[
            *says("a"),
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look", "input": {}}]},
            *says("b"),
        ]
    ),
    "a result without a call": body(
        messages=[{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "fine"}]}]
    ),
    "a prompt over the window": body(model=OLD_HAIKU, messages=says("a" * 700_000)),
    "a document from the assistant": body(
        messages=[*says("a"), {"role": "assistant", "content": [{"type": "document", "source": {}}]}, *says("b")]
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_the_documentation_allows_is_taken(case: str) -> None:
    assert (200, "") == verdict(TAKEN[case])


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_documentation_forbids_is_refused(case: str) -> None:
    assert (400, "invalid_request_error") == verdict(REFUSED[case])


@pytest.mark.parametrize(
    "name", ["gpt-9", "claude-opus-4-1", "claude-3-7-sonnet-20250219", "claude-haiku-5-5-20261007"]
)
def test_an_unknown_or_retired_model_is_not_found(name: str) -> None:
    assert (404, "not_found_error") == verdict(body(model=name))


def test_a_model_is_gone_from_the_day_of_its_retirement() -> None:
    day = MODELS["claude-sonnet-4-5"].retires_at_ms or 0
    assert (True, False) == (find("claude-sonnet-4-5", day - 1) is not None, find("claude-sonnet-4-5", day) is not None)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (body(temperature=1), 200),
        (body(temperature=0), 400),
        (body(top_p=0.99), 200),
        (body(top_k=1), 400),
        (body(model=SONNET, temperature=1), 200),
        (body(model=SONNET, temperature=0.5), 400),
        (body(model=OLD_HAIKU, temperature=0), 200),
        (body(model=OLD_HAIKU, top_k=5), 200),
    ],
)
def test_the_older_version_takes_what_each_model_takes(fields: dict[str, Any], status: int) -> None:
    assert status == verdict(fields, OLD)[0]


def test_a_beta_header_lets_unknown_fields_pass() -> None:
    assert (200, "") == verdict(body() | {"thread": {}}, NEWEST | {"anthropic-beta": "message-threads-2026-08-12"})


@pytest.mark.parametrize("version", [{}, {"anthropic-version": "2024-01-01"}])
def test_a_missing_or_unknown_version_is_refused(version: dict[str, str]) -> None:
    assert (400, "invalid_request_error") == verdict(body(), version)


def test_counting_needs_no_max_tokens_and_obeys_the_other_rules() -> None:
    assert 200 == verdict(body(max_tokens=None), counting=True)[0]
    assert 400 == verdict(REFUSED["a forced tool on sonnet"], counting=True)[0]


odd = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 9) | st.text(max_size=4) | st.sampled_from(["text", "tool_use", "5m"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "content", "name", "ttl", "schema", "properties"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)
WHOLE = body(
    system=[text(cache_control=MARK)],
    tools=[TOOL],
    tool_choice={"type": "auto"},
    output_config=schema(),
    metadata={"user_id": "u"},
    stop_sequences=["x"],
    cache_control=MARK,
)


@st.composite
def bent(draw: st.DrawFn) -> Any:
    """A valid body with something odd at one or two places of it."""
    whole = msgspec.json.decode(msgspec.json.encode(WHOLE))
    for _ in range(draw(st.integers(1, 2))):
        place = whole
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None:
                break
            if draw(st.booleans()) and isinstance(place[key], dict | list) and place[key]:
                place = place[key]
                continue
            place[key] = draw(odd)
            break
    return whole


@settings(max_examples=60, deadline=None)
@given(bent())
def test_no_body_does_worse_than_be_refused(fields: Any) -> None:
    """Whatever is wrong where, the answer is 200 or a 4xx in the error shape, never a crash."""
    stand_in = StandIn(clock=StoppedClock())
    request = Request("POST", "/v1/messages", "", dict(NEWEST), [], msgspec.json.encode(fields))
    play = stand_in.respond(request)
    assert play.status in (200, 400, 404)
    assert isinstance(msgspec.json.decode(play.frames[0].data), dict)


@pytest.mark.parametrize(
    "raw_body",
    [b"", b"{", b"null", b"[]", b'"a"', b"\xff", b"[" * 100_000, b'{"model":"\\ud800"}', b'{"model":' * 5_000],
)
def test_what_is_no_json_object_is_refused(raw_body: bytes) -> None:
    stand_in = StandIn(clock=StoppedClock())
    assert 400 == stand_in.respond(Request("POST", "/v1/messages", "", dict(NEWEST), [], raw_body)).status
