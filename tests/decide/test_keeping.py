"""Which answers are kept, for how long and for whom: in any doubt none."""

from __future__ import annotations

import msgspec
import pytest

from router.decide.policy import Keep, Replies, Rulebook, Task
from router.decide.replies import Age, age, age_s, keep_of, may_give, may_keep, may_share, reply_key, until_ms
from router.vocabulary import Ask, KeptReply, Reply, Usage
from router.wire.ask import read_messages
from router.wire.reply import read_reply
from tests.decide.test_replies import ANN, BODY, HI, Json, ask, rules_with
from tests.rulebooks import default_rules
from tests.worlds import message

ENDED = read_reply(message("Hello."))


def kept(
    asked: Ask = ask(BODY), reply: Reply = ENDED, body: bytes = message("Hello."), rules: Rulebook | None = None
) -> Keep | None:
    return may_keep(asked, reply, body, rules or rules_with(), default_rules().default_task)


@pytest.mark.parametrize(
    "never",
    [
        ask(BODY, {"x-router-cache": "off"}),
        ask(BODY | {"mcp_servers": [{"type": "url", "url": "https://example.com"}]}),
        ask(BODY | {"container": "c_1"}),
    ],
)
def test_some_requests_have_no_key(never: Ask) -> None:
    rules = rules_with()
    given = (reply_key(never, ANN, rules, None), may_share(never, rules, None), may_give(never, rules, None))
    assert (None, False, False, None) == (*given, kept(never))


def test_an_answer_is_kept_as_long_as_the_policy_says() -> None:
    assert Keep(ttl_s=60) == kept()
    assert Keep(stale_s=5) == kept(rules=rules_with(Replies(stale_s=5)))
    assert None is kept(rules=rules_with(Replies()))


def test_a_task_has_its_own_word() -> None:
    def under(task: Task) -> Rulebook:
        return rules_with(tasks={default_rules().default_task: task})

    assert Keep(ttl_s=7, stale_s=8) == kept(rules=under(Task(keep=Keep(ttl_s=7, stale_s=8))))
    assert (None, None) == (kept(rules=under(Task(keep=Keep()))), kept(rules=under(Task(personal=True))))
    name = default_rules().default_task
    personal = under(Task(personal=True))
    shares = (may_share(ask(BODY), personal, name), may_give(ask(BODY), personal, name))
    assert (False, False, None) == (*shares, keep_of(personal, name))
    assert (True, True) == (may_share(ask(BODY), rules_with(), name), may_give(ask(BODY), rules_with(), name))
    assert not may_share(ask(BODY), rules_with(Replies(single_flight=False)), name)


def test_refresh_keeps_and_shares_but_is_given_nothing_old() -> None:
    refresh = ask(BODY, {"x-router-cache": "refresh"})
    assert (False, True) == (may_give(refresh, rules_with(), None), may_share(refresh, rules_with(), None))
    assert Keep(ttl_s=60) == kept(refresh)
    assert reply_key(refresh, ANN, rules_with(), None) == reply_key(ask(BODY), ANN, rules_with(), None)


STOPS = ["max_tokens", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded", "of_tomorrow", None]


@pytest.mark.parametrize("stop", STOPS)
def test_an_answer_that_is_not_final_is_not_kept(stop: str | None) -> None:
    assert None is kept(reply=msgspec.structs.replace(ENDED, stop_reason=stop))


def test_an_answer_that_is_empty_or_cut_is_not_kept() -> None:
    assert Keep(ttl_s=60) == kept(reply=msgspec.structs.replace(ENDED, stop_reason="stop_sequence"))
    assert None is kept(reply=msgspec.structs.replace(ENDED, empty=True))
    assert None is kept(reply=Reply(usage=Usage(), stop_reason="end_turn", model="m", message_id="i", complete=False))


@pytest.mark.parametrize(
    "kind", ["tool_use", "server_tool_use", "web_search_tool_result", "mcp_tool_use", "of_tomorrow"]
)
def test_an_answer_that_does_more_than_talk_is_not_kept(kind: str) -> None:
    content = [{"type": "text", "text": "So."}, {"type": kind, "id": "t", "name": "n", "input": {}}]
    assert None is kept(body=msgspec.json.encode(msgspec.json.decode(message()) | {"content": content}))
    assert None is kept(body=b"no message")


def test_an_answer_with_its_thinking_is_kept() -> None:
    content = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "So."}]
    assert kept(body=msgspec.json.encode(msgspec.json.decode(message()) | {"content": content})) is not None


def test_only_with_tools_that_are_called_safe_an_answer_is_kept() -> None:
    def with_tools(*names: str) -> Ask:
        return ask(BODY | {"tools": [{"name": name, "input_schema": {"type": "object"}} for name in names]})

    rules = rules_with(Replies(ttl_s=60, safe_tools=("look", "read")))
    given = [kept(with_tools(*names), rules=rules) is not None for names in ((), ("look",), ("read", "look"))]
    assert [True, True, True] == given
    given = [kept(with_tools(*names), rules=rules) is not None for names in (("send",), ("look", "send"), ("",))]
    assert [False, False, False] == given
    assert None is kept(ask(BODY | {"tools": [{"type": "web_search_20250305"}]}), rules=rules)


ELSEWHERE: list[Json] = [
    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
    {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}],
    },
    {
        "type": "document",
        "source": {
            "type": "content",
            "content": [{"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}],
        },
    },
]
HERE: list[Json] = [
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aaaa"}},
    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "see the url"}},
    {"type": "document", "source": {"type": "file", "file_id": "file_url"}},
    {"type": "text", "text": 'look at "url"'},
    {"type": "tool_result", "tool_use_id": "t", "content": "url"},
]


@pytest.mark.parametrize("block", [*ELSEWHERE, *HERE])
def test_what_lies_at_an_address_may_change_so_its_answer_is_not_kept(block: Json) -> None:
    asked = ask(BODY | {"messages": [HI | {"content": [block]}]})
    assert (block in HERE) == (kept(asked) is not None)
    escaped = msgspec.json.encode(BODY | {"messages": [HI | {"content": [block]}]}).replace(b'"url"', b'"\\u0075rl"')
    assert (block in HERE) == (kept(read_messages(escaped, {})) is not None)


def test_an_answer_ages_by_the_wall_clock() -> None:
    fresh_ms, stale_ms = until_ms(Keep(ttl_s=10, stale_s=20), 1_000_000)
    assert (1_010_000, 1_030_000) == (fresh_ms, stale_ms)
    one = KeptReply(
        tenant="t",
        body=b"",
        model="m",
        tier=None,
        task="chat",
        made_ms=1_000_000,
        fresh_ms=fresh_ms,
        stale_ms=stale_ms,
    )
    times = (1_000_000, 1_009_999, 1_010_000, 1_029_999, 1_030_000)
    assert [Age.FRESH, Age.FRESH, Age.STALE, Age.STALE, Age.GONE] == [age(one, now_ms) for now_ms in times]
    assert (2.5, 0.0) == (age_s(one, 1_002_500), age_s(one, 900_000))
    assert [Age.FRESH, Age.GONE] == [age(one, now_ms) for now_ms in (940_000, 939_999)], "the clock was set back"
