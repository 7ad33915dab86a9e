"""Pain 15: whatever a body holds, reading it for the cache and marking it never fails, and never spoils it."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from router.decide.breakpoints import lay
from router.decide.policy import CacheRules
from router.errors import RequestError
from router.vocabulary import Counts, Known, Seen
from router.wire.ask import read_messages
from router.wire.edit import apply
from router.wire.marking import mark_edits
from router.wire.prefix import read_path

from ..rulebooks import default_rules

MODEL = "claude-haiku-5-5"
LONG = "word " * 1_200
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9) | st.just(LONG),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "cache_control", "source", "x"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
TYPES = st.sampled_from(["text", "tool_use", "tool_result", "thinking", "image", "document", "odd"])
ODD = st.builds(
    lambda kind, rest: {**rest, "type": kind}, TYPES, st.dictionaries(st.text(max_size=3), JSON, max_size=3)
)
CONTENT = st.one_of(JSON, st.lists(st.one_of(JSON, ODD), max_size=6))


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "system", "odd"]), CONTENT), min_size=1, max_size=5),
    st.one_of(JSON, st.lists(ODD, max_size=4)),
    st.one_of(JSON, st.lists(ODD, max_size=4)),
)
def test_pain_15_whatever_is_accepted_is_read_marked_and_still_accepted(turns: Any, system: Any, tools: Any) -> None:
    """Marks never make a body one that we would refuse, and nothing about a body makes marking fail."""
    messages = [{"role": role, "content": content} for role, content in turns]
    body = {"model": MODEL, "max_tokens": 5, "messages": messages, "system": system, "tools": tools}
    try:
        ask = read_messages(msgspec.json.encode(body), {})
    except RequestError:
        return
    path = read_path(ask.fields, ask.facts)
    if path is None:
        return
    warm = Seen(own=Counts(within_5m=9), like=Counts(within_5m=99))
    known = Known(spots=(warm,) * len(path.spots), tokens_per_byte=0.4)
    rules = default_rules()
    laid = lay(path, known, rules.models[MODEL], rules.prices.by_model[MODEL][0].rates, CacheRules())
    marked = apply(ask, mark_edits(ask.fields, laid.marks))
    again = read_messages(marked, {})
    assert again.facts.marks == ask.facts.marks + len(laid.marks)
    assert len(laid.marks) <= 4
