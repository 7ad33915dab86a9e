"""Where marks are laid: few, valid, and only where the reads to come pay for the write."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.decide.breakpoints import MARKS_MAX, Laid, Outlook, Place, _best, _Chain, _value, lay
from router.decide.policy import CacheRules
from router.decide.reuse import Terms
from router.errors import RequestError
from router.standin.models import MODELS
from router.standin.refused import Refused
from router.standin.rules import check_prompt
from router.vocabulary import Ask, Counts, Known, Path, Seen
from router.wire.ask import read_messages
from router.wire.edit import apply
from router.wire.marking import mark_edits
from router.wire.prefix import read_path

from ..rulebooks import default_rules

MODEL = "claude-haiku-5-5"
RULES = default_rules()
HAIKU = RULES.models[MODEL]
RATES = RULES.prices.by_model[MODEL][0].rates
TURN = {"role": "user", "content": "hi"}
LONG = "You are a helpful assistant of a shop. " * 100
TOOLS = [
    {"name": f"tool_{number}", "description": LONG[:400], "input_schema": {"type": "object"}} for number in range(8)
]
EPHEMERAL = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
ALWAYS = Seen(own=Counts(within_5m=50), like=Counts(within_5m=200))
NEVER = Seen(like=Counts(later=200))


def ask(**fields: Any) -> Ask:
    body = {"model": MODEL, "max_tokens": 200, "messages": [TURN], **fields}
    return read_messages(msgspec.json.encode(body), {})


def path(one: Ask) -> Path:
    found = read_path(one.fields, one.facts)
    assert found is not None
    return found


def laid(one: Ask, known: Known | None = None, rules: CacheRules = CacheRules()) -> Laid:
    return lay(path(one), known or Known(), HAIKU, RATES, rules)


def sent(one: Ask, known: Known | None = None) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(apply(one, mark_edits(one.fields, laid(one, known).marks)))
    return body


def told(one: Ask, **by_kind: Seen) -> Known:
    """What is known of the spots, by their kind."""
    return Known(spots=tuple(by_kind.get(spot.kind.partition(":")[0], Seen()) for spot in path(one).spots))


# ---- by structure, before anything is known


def test_a_long_system_text_becomes_one_marked_block_with_the_same_text() -> None:
    assert sent(ask(system=LONG))["system"] == [{"type": "text", "text": LONG, **EPHEMERAL}]


def test_the_last_system_block_carries_the_mark() -> None:
    blocks = [{"type": "text", "text": LONG}, {"type": "text", "text": "End."}]
    assert sent(ask(system=blocks))["system"] == [blocks[0], {**blocks[1], **EPHEMERAL}]


def test_without_a_system_the_last_tool_carries_it() -> None:
    assert sent(ask(tools=TOOLS))["tools"] == [*TOOLS[:-1], {**TOOLS[-1], **EPHEMERAL}]


def test_a_running_conversation_is_marked_at_its_end_and_a_lone_question_is_not() -> None:
    turns = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Yes."}, TURN]
    assert sent(ask(messages=turns))["messages"][-1]["content"] == [{"type": "text", "text": "hi", **EPHEMERAL}]
    assert laid(ask(messages=[{"role": "user", "content": LONG}])).marks == ()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": "Be brief."},
        {"system": [{"type": "brand_new"}, {"type": "text", "text": ""}]},
        {"system": LONG, "cache_control": {"type": "ephemeral"}},
        {"system": [{"type": "text", "text": LONG, **EPHEMERAL}]},
        {"system": LONG, "tools": [{**TOOLS[0], **EPHEMERAL}]},
        {"system": LONG, "messages": [{"role": "user", "content": [{"type": "text", "text": "x", **EPHEMERAL}]}]},
        {"tools": [{**tool, "defer_loading": True} for tool in TOOLS]},
    ],
)
def test_short_prefixes_doubtful_ends_and_the_callers_own_marks_are_left_alone(fields: Any) -> None:
    assert laid(ask(**fields)).marks == ()


def test_what_cannot_carry_a_mark_passes_it_to_the_block_before() -> None:
    blocks = [{"type": "text", "text": LONG}, {"type": "text", "text": ""}]
    known = told(ask(system=blocks), head=ALWAYS, system=ALWAYS)
    assert sent(ask(system=blocks), known)["system"] == [{**blocks[0], **EPHEMERAL}, blocks[1]]


def test_the_policy_can_turn_it_off_and_can_keep_it_to_five_minutes() -> None:
    one = ask(system=LONG)
    slow = told(one, system=Seen(own=Counts(within_1h=50), like=Counts(within_1h=200)))
    assert laid(one, slow).marks[0].ttl == "1h"
    assert laid(one, slow, CacheRules(longest="5m")).marks == ()
    assert laid(one, slow, CacheRules(marks="off")).marks == ()


# ---- by what was counted


def test_one_shot_traffic_writes_nothing() -> None:
    one = ask(system=LONG, messages=[{"role": "user", "content": LONG}])
    assert laid(one, told(one, system=NEVER, end=NEVER)).marks == ()


def test_only_what_comes_back_is_marked() -> None:
    parts = [{"type": "text", "text": LONG}, {"type": "text", "text": "Which one is it?"}]
    one = ask(system=LONG, messages=[{"role": "user", "content": parts}])
    found = laid(one, told(one, system=ALWAYS, document=NEVER, end=NEVER))
    assert [mark.turn for mark in found.marks] == [-1]
    found = laid(one, told(one, system=ALWAYS, document=Seen(like=Counts(within_5m=90, later=10)), end=NEVER))
    assert [(mark.turn, mark.block) for mark in found.marks] == [(-1, -1), (0, 0)]


def test_a_gap_of_minutes_asks_for_an_hour_and_a_gap_of_seconds_does_not() -> None:
    one = ask(system=LONG)
    assert laid(one, told(one, system=ALWAYS)).marks[0].ttl == "5m"
    mixed = Seen(own=Counts(within_5m=30, within_1h=30), like=Counts(within_5m=100, within_1h=100))
    assert laid(one, told(one, system=mixed)).marks[0].ttl == "1h"


def test_the_callers_marks_are_kept_and_more_are_only_set_on_evidence() -> None:
    one = ask(system=LONG, messages=[{"role": "user", "content": [{"type": "text", "text": LONG, **EPHEMERAL}]}])
    assert laid(one).marks == ()
    body = sent(one, told(one, system=ALWAYS))
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert body["messages"] == msgspec.json.decode(one.fields["messages"])


def test_a_mark_before_the_callers_hour_is_for_an_hour_too() -> None:
    one = ask(system=LONG, messages=[{"role": "user", "content": [{"type": "text", "text": LONG, **HOUR}]}])
    assert [mark.ttl for mark in laid(one, told(one, system=ALWAYS)).marks] == ["1h"]


def test_a_warm_entry_out_of_reach_gets_a_mark_of_its_own() -> None:
    """60 blocks in one turn: the mark at the end looks back over 20 of them and finds nothing."""
    results = [{"type": "tool_result", "tool_use_id": f"t{n}", "content": "done"} for n in range(60)]
    calls = [{"type": "tool_use", "id": f"t{n}", "name": "x", "input": {}} for n in range(60)]
    turns = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": calls},
        {"role": "user", "content": results},
    ]
    one = ask(messages=turns)
    warm = Seen(own=Counts(within_5m=1), warm="5m", warm_left_s=200.0, tokens=1_600)
    known = Known(spots=tuple(warm if spot.turn == 0 else Seen() for spot in path(one).spots))
    found = laid(one, known)
    assert (0, -1) in [(mark.turn, mark.block) for mark in found.marks]
    assert found.expected_tokens == 1_600


# ---- whatever is sent


TEXTS = st.sampled_from(["", " ", "short", LONG, LONG * 3])
CONTROLS = st.sampled_from([{}, {}, {}, EPHEMERAL, HOUR])
BLOCKS = st.one_of(
    st.builds(lambda text, mark: {"type": "text", "text": text, **(mark if text.strip() else {})}, TEXTS, CONTROLS),
    st.builds(lambda n: {"type": "tool_result", "tool_use_id": f"t{n}", "content": LONG}, st.integers(0, 3)),
    st.builds(lambda n: {"type": "tool_use", "id": f"t{n}", "name": "x", "input": {"a": LONG}}, st.integers(0, 3)),
    st.just({"type": "thinking", "thinking": LONG, "signature": "s"}),
    st.just({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 2000}}),
    st.just({"type": "brand_new", "text": LONG}),
)
CONTENTS = st.one_of(TEXTS, st.lists(BLOCKS, max_size=30))
COUNTS = st.builds(
    Counts, within_5m=st.integers(0, 9), within_1h=st.integers(0, 9), later=st.integers(0, 9), young=st.integers(0, 9)
)
SEEN = st.builds(
    Seen,
    own=COUNTS,
    like=COUNTS,
    since_s=st.none() | st.floats(0, 4000),
    warm=st.sampled_from([None, None, "5m", "1h"]),
    tokens=st.none(),
)


def stripped(value: Any) -> Any:
    """Without marks, and every bare text as the block that it stands for."""
    if isinstance(value, dict):
        bare = {key: stripped(child) for key, child in value.items() if key != "cache_control"}
        if "role" in bare and isinstance(bare["content"], str):
            bare["content"] = [{"type": "text", "text": bare["content"]}]
        return bare
    return [stripped(child) for child in value] if isinstance(value, list) else value


def controls(value: Any) -> list[str]:
    """The lifetimes of all marks, in the order of the row."""
    if isinstance(value, list):
        return [ttl for child in value for ttl in controls(child)]
    if not isinstance(value, dict):
        return []
    own = [value["cache_control"].get("ttl", "5m")] if value.get("cache_control") else []
    return controls(value.get("content")) + own


@given(
    st.lists(CONTENTS, min_size=1, max_size=7),
    st.one_of(TEXTS, st.lists(BLOCKS, max_size=4)),
    st.integers(0, 9),
    st.lists(SEEN, min_size=1, max_size=8),
)
@example([LONG], LONG, 8, [ALWAYS])
def test_whatever_the_body_and_whatever_is_known_only_valid_marks_are_added(
    contents: list[Any], system: Any, tools: int, seen: list[Seen]
) -> None:
    turns = [{"role": "assistant" if at % 2 else "user", "content": content} for at, content in enumerate(contents)]
    fields: dict[str, Any] = {"messages": turns, "system": system, "tools": (TOOLS * 2)[:tools]}
    try:
        one = ask(**fields)
    except RequestError:
        return
    model = MODELS[MODEL]
    try:
        check_prompt({"model": MODEL, **fields}, model)
    except Refused:
        return  # the caller's own marks are wrong already
    spots = path(one).spots
    known = Known(spots=tuple(itertools.islice(itertools.cycle(seen), len(spots))))
    body = sent(one, known)
    check_prompt(body, model)  # Refused: more than four, a wrong order, a block that takes none
    assert stripped(body["messages"]) == stripped(turns)
    before = [*controls(fields["tools"]), *controls(system), *controls([turn["content"] for turn in turns])]
    after = [*controls(body["tools"]), *controls(body["system"]), *controls([t["content"] for t in body["messages"]])]
    assert len(after) <= MARKS_MAX
    assert not Counter(before) - Counter(after)


@given(st.lists(SEEN, min_size=1, max_size=6))
def test_no_chance_within_five_minutes_is_above_that_within_an_hour(seen: list[Seen]) -> None:
    turns = [{"role": "user", "content": LONG}, {"role": "assistant", "content": LONG}, TURN]
    one = ask(system=LONG, tools=TOOLS, messages=turns)
    spots = path(one).spots
    known = Known(spots=tuple(itertools.islice(itertools.cycle(seen), len(spots))))
    for mark in laid(one, known).marks:
        assert 0 <= mark.chance_5m <= mark.chance_1h <= 1


PLACES = st.lists(
    st.tuples(
        st.integers(50, 5_000), st.floats(0, 1), st.floats(0, 1), st.sampled_from([None, None, None, "5m", "1h"])
    ),
    min_size=1,
    max_size=5,
)


@given(PLACES, st.integers(1, 4))
def test_no_other_choice_of_marks_is_worth_more(drawn: list[Any], free: int) -> None:
    places, tokens = [], 0.0
    for at, (more, soon, late, warm) in enumerate(drawn):
        tokens += more
        places.append(Place(at, at, tokens, (soon * late, late), warm))
    warm_to = max((place.tokens for place in places if place.warm), default=0.0)
    lasts_to = max((place.tokens for place in places if place.warm == "1h"), default=0.0)
    outlook = Outlook(Terms(0.1, {"5m": 1.25, "1h": 2.0}), warm_to, lasts_to, {len(places) - 1: 100.0})
    found = value(_best(places, free, outlook), outlook)
    best = 0.0
    for number in range(1, free + 1):
        for picked in itertools.combinations(places, number):
            for hours in range(number + 1):
                ttls = ["1h"] * hours + ["5m"] * (number - hours)
                best = max(best, value(tuple(zip(picked, ttls, strict=True)), outlook))
    assert found == pytest.approx(best, rel=1e-9, abs=1e-6)


def value(marks: tuple[tuple[Place, str], ...], outlook: Outlook) -> float:
    chain = _Chain(0.0)
    for place, ttl in marks:
        chain = _Chain(chain.value + _value(chain, place, ttl, outlook), (*chain.places, (place, ttl)))
    return chain.value
