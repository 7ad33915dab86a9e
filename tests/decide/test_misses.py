"""What the cache should give, and why it gave less."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.decide.breakpoints import lay
from router.decide.misses import CHANGED, DROPPED, EXPIRED, FIRST, MODEL, SHORT, UNMARKED, expected, judged
from router.decide.policy import CacheRules
from router.vocabulary import Counts, Expected, Known, Path, Reply, Seen, Usage
from router.wire.ask import read_messages
from router.wire.prefix import read_path

from ..rulebooks import default_rules

RULES = default_rules()
NAME = "claude-haiku-5-5"
MODEL_RULES = RULES.models[NAME]
RATES = RULES.prices.by_model[NAME][0].rates
LONG = "word " * 1_500


def path(**fields: Any) -> Path:
    body = {"model": NAME, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}], **fields}
    one = read_messages(msgspec.json.encode(body), {})
    found = read_path(one.fields, one.facts)
    assert found is not None
    return found


def before(found: Path, known: Known) -> Expected:
    known = known if known.spots else msgspec.structs.replace(known, spots=(Seen(),) * len(found.spots))
    return expected(found, known, lay(found, known, MODEL_RULES, RATES, CacheRules()), MODEL_RULES.cache_minimum)


def reply(read: int = 0, **more: Any) -> Reply:
    usage = Usage(input_tokens=10, cache_read_tokens=read, cache_write_5m_tokens=0 if read else 3_000)
    return Reply(usage=usage, stop_reason="end_turn", model=NAME, message_id="m", **more)


SEEN_BEFORE = Seen(own=Counts(within_5m=3), since_s=900.0, tokens=3_000)
WARM = Seen(own=Counts(within_5m=3), since_s=20.0, warm="5m", warm_left_s=280.0, tokens=3_000)
NEVER = Seen(like=Counts(later=200))


@pytest.mark.parametrize(
    ("fields", "known", "cause"),
    [
        ({}, Known(), SHORT),
        ({"system": LONG}, Known(), FIRST),
        ({"system": LONG}, Known(spots=(NEVER, NEVER)), UNMARKED),
        ({"system": LONG}, Known(spots=(SEEN_BEFORE, Seen())), EXPIRED),
        ({"system": LONG}, Known(elsewhere=0), MODEL),
        ({"system": LONG}, Known(varies=0), CHANGED),
    ],
)
def test_why_nothing_will_be_read(fields: Any, known: Known, cause: str) -> None:
    found = before(path(**fields), known)
    assert (found.tokens, found.cause) == (0, cause)
    assert judged(found, reply())[0] == cause


def test_what_varies_is_named_by_its_place() -> None:
    tool = {"name": "a", "description": LONG, "input_schema": {"type": "object"}}
    found = before(path(tools=[tool, tool], system=LONG), Known(varies=2))
    assert (found.at, found.block) == ("system[0]", 2)
    assert judged(found, reply())[1] == "system[0]"


def test_what_is_warm_is_expected_and_what_is_missing_was_dropped() -> None:
    found = before(path(system=LONG), Known(spots=(WARM, Seen())))
    assert (found.tokens, found.exact, found.cause) == (3_000, True, "")
    assert judged(found, reply(3_000)) == ("", "", 0)
    assert judged(found, reply(4_000)) == ("", "", 0)
    assert judged(found, reply(2_999)) == (DROPPED, "", 1)


def test_an_estimate_is_not_held_to_the_token() -> None:
    about = Expected(tokens=3_000)
    assert [judged(about, reply(read))[0] for read in (2_000, 1_500, 1_499)] == ["", "", DROPPED]


@pytest.mark.parametrize(
    ("said", "cause", "at"),
    [
        ("model_changed", MODEL, ""),
        ("tools_changed", CHANGED, "tools"),
        ("system_changed", CHANGED, "system"),
        ("messages_changed", CHANGED, "messages"),
        ("previous_message_not_found", FIRST, ""),
        ("unavailable", FIRST, ""),
        ("brand_new", FIRST, ""),
    ],
)
def test_the_apis_own_diagnosis_is_believed_where_it_is_one(said: str, cause: str, at: str) -> None:
    found = judged(Expected(cause=FIRST), reply(miss=said, missed_tokens=77))
    assert found == (cause, at, 77 if cause != FIRST else 0)


def test_a_diagnosis_of_a_hit_changes_nothing() -> None:
    assert judged(Expected(tokens=3_000), reply(3_000, miss="messages_changed", missed_tokens=5)) == ("", "", 0)
