"""An edit changes what it names, and not one byte besides."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.vocabulary import Ask, Door, Edit, Facts, Words
from router.wire.ask import read_complete, read_messages
from router.wire.edit import apply
from router.wire.json_gate import read_object

from .samples import HELLO, complete, json, messages, objects, spelt, values

plain = objects.map(lambda value: {f"k{number}": one for number, one in enumerate(value.values())})


def set_to(key: str, value: object) -> Edit:
    return Edit(key=key, value=msgspec.Raw(json(value)), why="a test")


def without(key: str) -> Edit:
    return Edit(key=key, value=None, why="a test")


def raws(body: bytes) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in read_object(body).items()}


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, list[Edit]]:
    """Any object in any spelling, and edits of keys that it has and of keys that it has not."""
    value = draw(plain)
    keys = draw(st.lists(st.sampled_from([*value, "new", "other"]), unique=True, max_size=4))
    edits = [draw(st.sampled_from([without(key), set_to(key, draw(values))])) for key in keys]
    return draw(spelt(value)), edits


@given(edited())
@settings(max_examples=20)
def test_only_what_is_named_changes_and_every_other_value_is_the_same_bytes_in_the_same_order(
    given_: tuple[bytes, list[Edit]],
) -> None:
    body, edits = given_
    before = raws(body)
    ask = Ask(door=Door.MESSAGES, raw=body, fields=read_object(body), facts=Facts(), words=Words())
    after = raws(apply(ask, iter(edits)))
    named = {edit.key: edit.value for edit in edits}
    assert {**before, **{key: bytes(value) for key, value in named.items() if value is not None}} == {
        **after,
        **{key: before[key] for key, value in named.items() if value is None and key in before},
    }
    assert not {key for key, value in named.items() if value is None} & set(after)
    kept = [key for key in before if key in after]
    assert [*kept, *(key for key in after if key not in before)] == list(after), "new keys go last"
    assert before == {name: bytes(value) for name, value in ask.fields.items()}, "the ask itself is as it was"


@pytest.mark.parametrize(
    "edits",
    [
        [],
        [without("temperature")],
        [set_to("model", "claude-auto")],
        [set_to("max_tokens", 16), without("nothing")],
    ],
)
def test_with_nothing_to_change_the_very_object_that_came_goes_out(edits: list[Edit]) -> None:
    for ask in (messages(), complete(**HELLO)):
        assert ask.raw is apply(ask, edits)


def test_another_spelling_of_the_same_value_is_a_change() -> None:
    body = json(HELLO).replace(b'"claude-auto"', b'"claude-\\u0061uto"')
    assert b'"claude-auto"' == raws(apply(read_messages(body, {}), [set_to("model", "claude-auto")]))["model"]


def test_our_own_words_and_the_short_form_never_go_out() -> None:
    assert HELLO == msgspec.json.decode(apply(complete(**HELLO, router={"task": "chat"}), []))
    assert {"system": "s", "messages": [{"role": "user", "content": "a"}]} == msgspec.json.decode(
        apply(complete(prompt="a", system="s", router={}), [])
    )


def test_a_body_that_only_speaks_of_a_router_is_a_messages_body_still() -> None:
    turns: list[Any] = [{"role": "user", "content": [{"type": "tool_use", "input": {"router": "a"}}]}]
    ask = complete(**{**HELLO, "messages": turns})
    assert {**HELLO, "messages": turns} == msgspec.json.decode(apply(ask, []))


def test_the_last_edit_of_a_key_wins() -> None:
    ask = read_complete(json(HELLO), {})
    body = apply(ask, [set_to("model", "a"), set_to("new", 1), set_to("model", "b"), without("new")])
    assert {**HELLO, "model": "b"} == msgspec.json.decode(body)
