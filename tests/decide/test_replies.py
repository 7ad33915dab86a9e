"""What makes two requests one: any difference that an answer may hang on is another key."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.policy import Replies, Rulebook
from router.decide.replies import reply_key
from router.decide.sameness import owner
from router.vocabulary import Ask, Caller
from router.wire.ask import read_complete, read_messages
from tests.rulebooks import default_rules

Json = dict[str, Any]
Ignored = Literal["whitespace", "case", "unicode"]
EVERYTHING: tuple[Ignored, ...] = ("whitespace", "case", "unicode")
ANN = Caller(tenant="ann")
HI: Json = {"role": "user", "content": "Hi there"}
BODY: Json = {"model": "auto", "max_tokens": 100, "system": "Be brief.", "messages": [HI]}


def rules_with(replies: Replies = Replies(ttl_s=60), **more: Any) -> Rulebook:
    rules = default_rules()
    return msgspec.structs.replace(rules, policy=msgspec.structs.replace(rules.policy, replies=replies), **more)


def ask(body: Json, headers: Mapping[str, str] = {}) -> Ask:
    return read_messages(msgspec.json.encode(body), headers)


def complete(body: Json, headers: Mapping[str, str] = {}) -> Ask:
    return read_complete(msgspec.json.encode(body), headers)


def key(asked: Ask, rules: Rulebook | None = None, caller: Caller = ANN, rule: str | None = None) -> bytes | None:
    return reply_key(asked, caller, rules or rules_with(), rule)


def said(text: str) -> Json:
    return BODY | {"messages": [HI | {"content": text}]}


MUTATIONS: dict[str, Json] = {
    "model": BODY | {"model": "claude-haiku-5-5"},
    "max_tokens": BODY | {"max_tokens": 101},
    "system": BODY | {"system": "Be brief!"},
    "no system": {name: value for name, value in BODY.items() if name != "system"},
    "system as blocks": BODY | {"system": [{"type": "text", "text": "Be brief."}]},
    "the question": said("Hi, there"),
    "a space": said("Hi  there"),
    "upper case": said("HI there"),
    "a turn more": BODY | {"messages": [HI, {"role": "assistant", "content": "Hello"}, HI]},
    "a prefill": BODY | {"messages": [HI, {"role": "assistant", "content": "Hello"}]},
    "another role": BODY | {"messages": [{"role": "assistant", "content": "Hi there"}]},
    "a block": BODY | {"messages": [HI | {"content": [{"type": "text", "text": "Hi there"}]}]},
    "a mark": BODY
    | {"messages": [HI | {"content": [{"type": "text", "text": "Hi there", "cache_control": {"type": "ephemeral"}}]}]},
    "temperature": BODY | {"temperature": 0.1},
    "top_k": BODY | {"top_k": 1},
    "tools": BODY | {"tools": [{"name": "f", "input_schema": {"type": "object"}}]},
    "tool_choice": BODY | {"tool_choice": {"type": "none"}},
    "thinking": BODY | {"thinking": {"type": "adaptive"}},
    "effort": BODY | {"output_config": {"effort": "low"}},
    "format": BODY | {"output_config": {"format": {"type": "json_schema", "schema": {}}}},
    "stop sequences": BODY | {"stop_sequences": ["."]},
    "metadata": BODY | {"metadata": {"user_id": "u"}},
    "a field of tomorrow": BODY | {"mood": "good"},
    "service tier": BODY | {"service_tier": "auto"},
}


def test_every_difference_in_the_body_is_another_key() -> None:
    keys = {name: key(ask(body)) for name, body in {"as it was": BODY, **MUTATIONS}.items()}
    assert len(keys) == len(set(keys.values()))
    assert {32} == {len(found or b"") for found in keys.values()}


def test_with_differences_ignored_only_those_are() -> None:
    rules = rules_with(Replies(ignore=EVERYTHING))
    same = {"as it was", "a space", "upper case"}
    keys = {name: key(ask(body), rules) for name, body in {"as it was": BODY, **MUTATIONS}.items()}
    assert 1 == len({keys[name] for name in same})
    others = [found for name, found in keys.items() if name not in same]
    assert len(others) == len({*others, keys["as it was"]}) - 1


def test_streaming_makes_no_other_answer() -> None:
    assert key(ask(BODY)) == key(ask(BODY | {"stream": True}))


def test_the_same_request_has_the_same_key_in_whatever_order_its_fields_come() -> None:
    orders = itertools.permutations(BODY.items())
    assert 1 == len({key(ask(dict(order))) for order in orders})


def test_what_is_around_the_body_makes_another_key_too() -> None:
    first = ask(BODY)
    words = [
        {"x-router-task": next(iter(default_rules().tasks))},
        {"x-router-feature": "f"},
        {"x-router-fallback": "same"},
        {"anthropic-beta": "a"},
        {"anthropic-beta": "a, b"},
        {"anthropic-version": "2023-06-01"},
        {"anthropic-odd": "1"},
    ]
    keys = [key(first), key(first, rule="vip"), key(first, rule=""), key(complete(BODY))]
    keys += [key(ask(BODY, headers)) for headers in words]
    keys += [key(first, rules_with(hash="0" * 16)), key(first, caller=Caller(tenant="bob"))]
    assert len(keys) == len(set(keys))


def test_the_order_of_betas_and_who_exactly_asks_within_a_tenant_make_no_other_key() -> None:
    assert key(ask(BODY, {"anthropic-beta": "a, b"})) == key(ask(BODY, {"anthropic-beta": "b,a"}))
    headers = {"x-router-user": "u", "x-router-session": "s", "x-router-deadline-s": "9"}
    assert key(ask(BODY)) == key(ask(BODY, headers), caller=Caller(tenant="ann", request_id="r2"))


def test_a_policy_may_share_answers_among_tenants() -> None:
    shared = rules_with(Replies(shared=True))
    keys = {key(ask(BODY), shared, Caller(tenant=tenant)) for tenant in ("ann", "bob", "all")}
    assert (1, "") == (len(keys), owner(ANN, shared))
    assert "ann" == owner(ANN, rules_with())
    assert key(ask(BODY), rules_with(), Caller(tenant="all")) not in keys


def test_the_short_form_is_a_request_of_its_own() -> None:
    short = complete({"prompt": "Hi there", "max_tokens": 100})
    long = complete({"messages": [HI], "max_tokens": 100})
    assert bytes(short.fields["messages"]) == bytes(long.fields["messages"])
    assert key(short) != key(long)
    assert key(short) == key(complete({"max_tokens": 100, "prompt": "Hi there"}))


def test_an_empty_list_of_servers_is_none() -> None:
    assert key(ask(BODY | {"mcp_servers": []})) not in (None, key(ask(BODY)))


IGNORING: dict[tuple[Ignored, ...], tuple[str, str]] = {
    ("whitespace",): (" hi \n\tthere\u00a0", "hi there"),
    ("case",): ("STRASSE", "stra\u00dfe"),
    ("unicode",): ("cafe\u0301", "caf\u00e9"),
    ("case", "unicode"): ("CAFE\u0301", "caf\u00e9"),
}


@pytest.mark.parametrize("ignore", IGNORING)
def test_each_difference_that_may_be_ignored_is_one_of_its_own(ignore: tuple[Ignored, ...]) -> None:
    for differences, texts in IGNORING.items():
        rules = rules_with(Replies(ignore=ignore))
        same = len({key(ask(said(text)), rules) for text in texts}) == 1
        assert (set(differences) <= set(ignore)) == same, differences


def test_in_the_turns_of_the_assistant_nothing_is_ignored() -> None:
    rules = rules_with(Replies(ignore=EVERYTHING))
    bodies = [
        BODY | {"messages": [HI, {"role": "assistant", "content": text}, HI]} for text in ("So be it", "so be it")
    ]
    assert 2 == len({key(ask(body), rules) for body in bodies})


def test_what_is_no_text_is_never_made_normal() -> None:
    rules = rules_with(Replies(ignore=EVERYTHING))
    images = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
        for data in ("AAAA", "aaaa")
    ]
    results = [{"type": "tool_result", "tool_use_id": "t", "content": text} for text in ("A", "a")]
    bodies = [BODY | {"messages": [HI | {"content": [block]}]} for block in (*images, *results)]
    assert 4 == len({key(ask(body), rules) for body in bodies})


def test_a_key_that_comes_twice_is_compared_as_it_came() -> None:
    """Which of two texts the API takes is its own affair, so neither may stand for both."""
    rules = rules_with(Replies(ignore=EVERYTHING))
    block = '{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text",%s}]}]}'
    texts = ['"text":"a","text":"b"', '"text":"b"', '"text":"c","text":"b"']
    keys = {key(read_messages((block % text).encode(), {}), rules) for text in texts}
    assert 3 == len(keys)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
TURNS = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant"]),
            "content": TEXTS | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}), max_size=3),
        }
    ),
    min_size=1,
    max_size=3,
)
REST = st.dictionaries(
    TEXTS.filter(lambda name: name not in ("mcp_servers", "container", "stream")), VALUES, max_size=3
)
BODIES = st.tuples(TURNS, REST)


def unread(turns: object, rest: Json) -> Ask:
    """Without the reading, which refuses most of what may come here."""
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in {**rest, "messages": turns}.items()}
    return msgspec.structs.replace(ask(BODY), fields=fields)


@given(one=BODIES, other=BODIES, tenants=st.tuples(TEXTS, TEXTS), names=st.tuples(st.none() | TEXTS, st.none() | TEXTS))
def test_two_requests_have_one_key_when_they_are_one(
    one: Any, other: Any, tenants: tuple[str, str], names: tuple[str | None, str | None]
) -> None:
    asks = (unread(*one), unread(*other))
    spelt = [sorted((name, bytes(raw)) for name, raw in asked.fields.items()) for asked in asks]
    keys = [
        reply_key(asked, Caller(tenant=tenant), rules_with(), name)
        for asked, tenant, name in zip(asks, tenants, names, strict=True)
    ]
    assert (spelt[0] == spelt[1] and tenants[0] == tenants[1] and names[0] == names[1]) == (keys[0] == keys[1])


def plain(text: str) -> str:
    return " ".join(text.split())


@given(one=TURNS, other=TURNS)
def test_with_white_space_ignored_they_are_one_when_they_are_one_without_it(one: Any, other: Any) -> None:
    def bare(turn: Any) -> Any:
        if turn["role"] != "user":
            return msgspec.json.encode(turn)  # as it came, in whatever order
        said_now = turn["content"]
        if isinstance(said_now, str):
            return plain(said_now)
        return [plain(block["text"]) for block in said_now]

    rules = rules_with(Replies(ignore=("whitespace",)))
    keys = [reply_key(unread(turns, {}), ANN, rules, None) for turns in (one, other)]
    assert ([bare(turn) for turn in one] == [bare(turn) for turn in other]) == (keys[0] == keys[1])
