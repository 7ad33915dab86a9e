"""What only the router reads, in a body or in headers: a word is right, or it is refused by its name."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import RequestError
from router.vocabulary import PICO_PER_USD, Words, Workload
from router.wire.words import words_of_body, words_of_headers

from .samples import complete, json, messages, objects, refusal

ALL = {
    "task": "chat",
    "feature": "help",
    "user": "u1",
    "session": "s1",
    "workload": "background",
    "deadline_s": 2.5,
    "max_cost_usd": "0.000000000001",
    "cache": "refresh",
    "fallback": "same",
    "buffered": "true",
    "webhook": "https://hooks.example.com/a",
}
READ = Words(
    task="chat",
    feature="help",
    user="u1",
    session="s1",
    workload=Workload.BACKGROUND,
    deadline_s=2.5,
    max_cost_pico=1,
    cache="refresh",
    fallback="same",
    buffered=True,
    webhook="https://hooks.example.com/a",
)


def of_body(router: bytes, words: Words = Words()) -> Words:
    return words_of_body(msgspec.Raw(router), words)


def refused(router: bytes) -> RequestError:
    error = refusal(lambda: of_body(router))
    assert error is not None, "it was let in"
    return error


def refused_header(name: str, value: str) -> RequestError:
    error = refusal(lambda: words_of_headers({name: value}))
    assert error is not None, "it was let in"
    return error


def test_every_word_is_read_from_the_body_and_from_headers_alike() -> None:
    assert READ == of_body(json(ALL))
    assert READ == words_of_headers({f"x-router-{name.replace('_', '-')}": str(value) for name, value in ALL.items()})


def test_without_words_there_are_the_defaults() -> None:
    assert Words() == of_body(b"{}") == words_of_headers({"x-api-key": "k", "x-routers": "1"})
    assert READ == of_body(json(dict.fromkeys(ALL)), READ), "a null says nothing"


def test_the_body_s_words_win_over_the_headers_one_by_one() -> None:
    headers = {"x-router-task": "header", "x-router-user": "header", "x-claude-code-session-id": "abc"}
    words = complete(headers, prompt="a", router={"task": "body"}).words
    assert ("body", "header", "cc:abc") == (words.task, words.user, words.session)
    assert "body" == complete(headers, prompt="a", router={"session": "body"}).words.session
    assert "named" == messages(headers={**headers, "x-router-session": "named"}).words.session


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("max_cost", "did you mean router.max_cost_usd?"),
        ("deadline", "did you mean router.deadline_s?"),
        ("Task", "did you mean router.task?"),
        ("tasks", "did you mean router.task?"),
        (
            "zzz",
            (
                "known are: buffered, cache, deadline_s, fallback, feature, max_cost_usd, session, task, user, webhook,"
                " workload"
            ),
        ),
    ],
)
def test_an_unknown_word_of_the_body_is_refused_with_the_nearest_right_one(name: str, hint: str) -> None:
    error = refused(json({name: 1}))
    assert ("router_bad_request", f"router.{name}") == (error.code, error.field)
    assert f"router.{name} is not a word of the router; {hint}" == error.message


def test_an_unknown_header_of_ours_is_refused_with_the_nearest_right_one_on_both_doors() -> None:
    headers = {"x-router-max-cost": "1"}
    for call in (lambda: messages(headers=headers), lambda: complete(headers, prompt="a")):
        error = refusal(call)
        assert error is not None
        assert "x-router-max-cost is not a word of the router; did you mean x-router-max-cost-usd?" == error.message
    assert "x-router-deadline_s" == refused_header("x-router-deadline_s", "1").field, "one spelling, not two"


def test_an_unknown_name_is_shown_short_and_harmless() -> None:
    error = refused(json({"a b\n<script>" + "x" * 100_000: 1}))
    assert "router.a?b??script?" + "x" * 52 == error.field


@pytest.mark.parametrize("value", ["yes", "", 1, None, ["true"]])
def test_a_stream_is_held_back_or_not(value: object) -> None:
    assert of_body(json({"buffered": True})).buffered
    assert not of_body(json({"buffered": False})).buffered
    if value is not None:
        assert refused(json({"buffered": value})).message == "router.buffered: expected true or false"


@pytest.mark.parametrize("value", ["http://a.example", "ftp://a", "", 5, "https://" + "a" * 2048, "https://é"])
def test_an_address_is_https(value: object) -> None:
    assert refused(json({"webhook": value})).field == "router.webhook"


@pytest.mark.parametrize(("told", "known"), [("37", 37.0), ("NOT_GIVEN", None), ("-1", None), ("0.5", 0.5), ("", None)])
def test_the_client_s_own_timeout_is_read_where_it_is_one(told: str, known: float | None) -> None:
    assert words_of_headers({"x-stainless-read-timeout": told}).client_timeout_s == known


@pytest.mark.parametrize("name", ["task", "feature", "user", "session"])
@pytest.mark.parametrize("value", ["", "a" * 257, "a\nb", "\x00", "\x7f", "\u2028", "\u202e", 5, True, ["a"], {}])
def test_a_name_is_printable_and_at_most_256_characters(name: str, value: object) -> None:
    error = refused(json({name: value}))
    assert f"router.{name}: expected a text of 1 to 256 printable characters" == error.message
    assert "é" * 256 == of_body(json({"user": "é" * 256})).user


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("workload", "interactive, background, batch"),
        ("cache", "use, refresh, off"),
        ("fallback", "auto, same, off, defer"),
    ],
)
def test_a_choice_is_one_of_its_values(name: str, values: str) -> None:
    for value in values.split(", "):
        assert value == getattr(of_body(json({name: value})), name)
    for wrong in ("on", "", "USE", 1, False, ["off"]):
        assert f"router.{name}: expected one of {values}" == refused(json({name: wrong})).message


@pytest.mark.parametrize(
    "value", [b"0", b"-1", b"3600.01", b"1e400", b"1e-400", b'"5"', b"true", b"[]", b"9" * 5000, b"0." + b"1" * 100]
)
def test_a_deadline_in_the_body_is_a_number_of_seconds_up_to_an_hour(value: bytes) -> None:
    error = refused(b'{"deadline_s":' + value + b"}")
    assert "router.deadline_s: expected a number of seconds, more than 0 and at most 3600" == error.message
    assert (0.25, 3600.0) == (of_body(b'{"deadline_s":25e-2}').deadline_s, of_body(b'{"deadline_s":3600}').deadline_s)


@pytest.mark.parametrize("value", ["", "0", "-1", "3601", "1e999", "nan", "inf", " 5", "5 ", "0x5", "1_0", "٣", "soon"])
def test_a_deadline_in_a_header_is_a_plain_decimal_number(value: str) -> None:
    assert "x-router-deadline-s" == refused_header("x-router-deadline-s", value).field
    assert 0.5 == words_of_headers({"x-router-deadline-s": ".5"}).deadline_s


@pytest.mark.parametrize(
    ("usd", "pico"),
    [
        (b"1", PICO_PER_USD),
        (b"0.1", PICO_PER_USD // 10),
        (b'"0.1"', PICO_PER_USD // 10),
        (b"1e-12", 1),
        (b"123456.123456789012", 123456123456789012),
        (b"0.30000000000000004", 300000000000),
        (b"0." + b"9" * 60, PICO_PER_USD - 1),
        (b"1e-13", 0),
        (b"1000000", 10**18),
    ],
)
def test_a_cost_is_taken_to_the_last_digit_and_never_rounded_up(usd: bytes, pico: int) -> None:
    assert pico == of_body(b'{"max_cost_usd":' + usd + b"}").max_cost_pico


@given(st.integers(1, 10**18))
@settings(max_examples=60)
def test_every_number_of_pico_dollars_can_be_named_exactly(pico: int) -> None:
    usd = f"{Decimal(pico).scaleb(-12):f}"
    written = {
        of_body(f'{{"max_cost_usd":{usd}}}'.encode()).max_cost_pico,
        of_body(json({"max_cost_usd": usd})).max_cost_pico,
        words_of_headers({"x-router-max-cost-usd": usd}).max_cost_pico,
    }
    assert {pico} == written


@pytest.mark.parametrize(
    "value", [b"0", b"-1", b"1000001", b'"nan"', b'"Infinity"', b'"1 "', b'"1_0"', b'""', b"true", b"{}", b"1e99999"]
)
def test_a_cost_that_is_none_is_refused(value: bytes) -> None:
    assert "router.max_cost_usd" == refused(b'{"max_cost_usd":' + value + b"}").field


@pytest.mark.parametrize("router", [b'{"user":"a","user":"b"}', b'{"us\\u0065r":"a"}'])
def test_a_word_that_comes_twice_or_in_disguise_is_refused(router: bytes) -> None:
    assert ("router_bad_json", True) == (refused(router).code, "twice" in refused(router).message)


@given(objects)
@settings(max_examples=30)
def test_any_object_is_read_or_refused(router: dict[str, object]) -> None:
    words = dict(zip(ALL, router.values(), strict=False))
    for one in (router, words):
        error = refusal(lambda one=one: of_body(json(one)))  # type: ignore[misc]
        assert error is None or error.message.isprintable()
