"""Which rule a request meets, why not the others, and that nothing is read that no rule asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from router.decide.policy import Range, Rule, When
from router.decide.rules import (
    TEXT_CHARS_MAX,
    BadPattern,
    OfText,
    Sight,
    compiled,
    first_match,
    header_names,
    pattern,
    trace,
)
from router.vocabulary import Facts, Words, Workload

NAMED = Words(feature="support", user="ada", session="s1", task="chat", workload=Workload.BATCH)
FACTS = Facts(turns=4, tool_count=1, image_count=0, document_count=2, messages_bytes=5_000)


def sight(
    text: str = "", facts: Facts = FACTS, words: Words = NAMED, headers: Mapping[str, str] | None = None
) -> Sight:
    return Sight(facts=facts, words=words, tenant="web", headers=headers or {}, says=lambda asked: asked.holds(text))


def obstacle(seen: Sight, **when: Any) -> str | None:
    (matcher,) = compiled([Rule(name="r", when=When(**when), tier="t")])
    return matcher.obstacle(seen)


@pytest.mark.parametrize(
    ("when", "otherwise"),
    [
        ({"feature": ("support",)}, None),
        ({"feature": ("billing", "support")}, None),
        ({"feature": ("sup*",)}, None),
        ({"feature": ("*port",)}, None),
        ({"feature": ("s*p*t",)}, None),
        ({"feature": ("sup",)}, "feature is not sup"),
        ({"feature": ("*sup",)}, "feature is not *sup"),
        ({"feature": ("billing", "chat-*")}, "feature is not billing or chat-*"),
        ({"user": ("ada",)}, None),
        ({"user": ("a.a",)}, "user is not a.a"),  # no regular expression
        ({"session": ("s*",)}, None),
        ({"tenant": ("web",)}, None),
        ({"tenant": ("app",)}, "tenant is not app"),
        ({"task": ("chat",)}, None),
        ({"workload": ("batch",)}, None),
        ({"workload": ("interactive",)}, "workload is not interactive"),
        ({"tools": True}, None),
        ({"tools": False}, "the request has some tools"),
        ({"images": True}, "the request has no images"),
        ({"images": False}, None),
        ({"documents": True}, None),
        ({"turns": Range(at_least=4)}, None),
        ({"turns": Range(at_least=5)}, "turns is not at least 5"),
        ({"turns": Range(below=5)}, None),
        ({"turns": Range(below=4)}, "turns is not below 4"),
        ({"turns": Range(at_least=1, below=4)}, "turns is not at least 1 and below 4"),
        ({"input_tokens": Range(at_least=2_000)}, None),  # 5,000 bytes and two documents
        ({"input_tokens": Range(at_least=10_000)}, "input_tokens is not at least 10000"),
        ({}, None),
        ({"feature": ("support",), "tools": True, "turns": Range(below=2)}, "turns is not below 2"),
    ],
)
def test_every_condition_holds_or_says_why_not(when: dict[str, Any], otherwise: str | None) -> None:
    assert otherwise == obstacle(sight(), **when)


def test_what_the_caller_left_out_meets_no_name_not_even_a_star() -> None:
    assert "user is not *" == obstacle(sight(words=Words()), user=("*",))


@pytest.mark.parametrize(
    ("headers", "wanted", "otherwise"),
    [
        ({"x-size": "long"}, ("long",), None),
        ({"x-size": "longer"}, ("long*",), None),
        ({"x-size": "short"}, ("long",), "the header x-size is not long"),
        ({}, ("*",), "the header x-size is not *"),
    ],
)
def test_a_header_is_held_against_its_values(
    headers: dict[str, str], wanted: tuple[str, ...], otherwise: str | None
) -> None:
    assert otherwise == obstacle(sight(headers=headers), header={"x-size": wanted})


def test_two_headers_must_both_hold() -> None:
    wanted = {"x-a": ("1",), "x-b": ("2",)}
    assert None is obstacle(sight(headers={"x-a": "1", "x-b": "2"}), header=wanted)
    assert "the header x-b is not 2" == obstacle(sight(headers={"x-a": "1"}), header=wanted)


@pytest.mark.parametrize(
    ("keyword", "text", "holds"),
    [
        ("refund", "I want a REFUND.", True),
        ("refund", "refunds", False),
        ("refund", "unrefund", False),
        ("refund", "refund_policy", False),
        ("refund", "re-refund-ed?", True),
        ("money back", "my money\n  back please", True),
        ("Rückgabe", "eine RÜCKGABE bitte", True),
        ("Rückgabe", "eine Ru\u0308ckgabe bitte", True),  # the same letters, spelt in two parts
        ("Ru\u0308ckgabe", "eine Rückgabe", True),
        ("gabe", "Rückgabe", False),
        ("返品", "この商品を返品したい", True),
        ("c++", "I write C++ daily", True),
        ("c++", "abc++", False),
        ("(now)", "do it (now)!", True),
        ("a.b", "axb", False),
    ],
)
def test_a_keyword_is_a_whole_word_in_any_case(keyword: str, text: str, holds: bool) -> None:
    assert holds == (obstacle(sight(text), keywords=(keyword,)) is None)


def test_any_keyword_will_do_and_what_is_missing_is_said_without_the_text() -> None:
    assert None is obstacle(sight("a parcel"), keywords=("refund", "parcel"))
    assert "the text does not meet keywords and matches" == obstacle(
        sight("secret"), keywords=("refund",), matches="[0-9]"
    )


def test_a_pattern_and_keywords_must_both_hold() -> None:
    wanted: dict[str, Any] = {"keywords": ("order",), "matches": "[0-9]{6}"}
    assert None is obstacle(sight("order 123456"), **wanted)
    assert None is not obstacle(sight("order 12"), **wanted)


@pytest.mark.parametrize("wrong", ["(?=a)", r"(a)\1", "[", "*a"])
def test_what_re2_does_not_take_is_told_in_words(wrong: str) -> None:
    with pytest.raises(BadPattern, match=r"\w+"):
        pattern(wrong)


def test_a_pattern_that_would_hold_a_backtracking_engine_up_is_answered() -> None:
    assert None is not obstacle(sight("a" * 50_000 + "!"), matches="^(a+)+$")


def test_only_so_much_of_a_text_is_looked_at() -> None:
    assert None is obstacle(sight("x" * (TEXT_CHARS_MAX - 1) + "7"), matches="7")
    assert None is not obstacle(sight("x" * TEXT_CHARS_MAX + "7"), matches="7")


@pytest.mark.parametrize(
    ("text", "language"),
    [("Wo ist mein Paket geblieben?", "de"), ("Where is my parcel?", "en"), ("我的包裹在哪里?", "zh")],
)
def test_a_language_is_told_from_the_text(text: str, language: str) -> None:
    assert None is obstacle(sight(text), language=(language,))
    assert None is not obstacle(sight(text), language=("fi",))


@pytest.mark.parametrize("text", ["", "12345", "!?"])
def test_a_text_without_letters_has_no_language(text: str) -> None:
    assert None is not obstacle(sight(text), language=("en", "de", "fr"))


def test_the_text_is_asked_for_only_when_everything_else_holds() -> None:
    asked: list[OfText] = []

    def says(question: OfText) -> bool:
        asked.append(question)
        return True

    seen = Sight(facts=FACTS, words=NAMED, tenant="web", headers={}, says=says)
    rules = [
        Rule(name="a", when=When(feature=("other",), keywords=("x",)), tier="t"),
        Rule(name="b", when=When(images=True, matches="x"), tier="t"),
        Rule(name="c", when=When(tools=True), tier="t"),
    ]
    found = first_match(compiled(rules), seen)
    assert (rules[2], []) == (found, asked)


def test_the_same_question_has_the_same_digest_in_every_policy() -> None:
    one, two = compiled(
        [Rule(name="a", when=When(keywords=("x",)), tier="t"), Rule(name="b", when=When(keywords=("x",)))]
    )
    other = compiled([Rule(name="a", when=When(keywords=("y",)), tier="t")])[0]
    assert one.of_text is not None
    assert two.of_text is not None
    assert other.of_text is not None
    assert (one.of_text.digest, True) == (two.of_text.digest, one.of_text.digest != other.of_text.digest)


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (Rule(name="r", tier="t"), False),
        (Rule(name="r", task="chat"), False),
        (Rule(name="r", model="m"), False),
        (Rule(name="r", refuse="no"), True),
        (Rule(name="r", canned="no"), True),
        (Rule(name="r", when=When(model=("claude-opus-*",)), tier="t"), True),
        (Rule(name="r", when=When(model=("claude-haiku-*",)), tier="t"), False),
    ],
)
def test_a_named_model_is_left_alone_unless_the_rule_looks_at_it_or_answers(rule: Rule, matches: bool) -> None:
    facts = Facts(model="claude-opus-5-5")
    (matcher,) = compiled([rule])
    assert matches == matcher.matches(sight(facts=facts))
    if not matches and not rule.when.model:
        assert "the caller named a model, and the rule has no `model`" == matcher.obstacle(sight(facts=facts))


@pytest.mark.parametrize("model", ["", "auto", "claude-auto"])
def test_auto_names_no_model(model: str) -> None:
    (matcher,) = compiled([Rule(name="r", tier="t")])
    assert matcher.matches(sight(facts=Facts(model=model)))


def test_the_trace_stops_looking_after_the_first_match() -> None:
    rules = [
        Rule(name="a", when=When(images=True), tier="t"),
        Rule(name="b", tier="t"),
        Rule(name="c", tier="t"),
    ]
    assert [
        ("a", False, "the request has no images"),
        ("b", True, "every condition holds"),
        ("c", False, "not looked at: an earlier rule matched"),
    ] == [(rule.name, matched, why) for rule, matched, why in trace(compiled(rules), sight())]


def test_the_headers_that_rules_look_at_are_known() -> None:
    rules = [Rule(name="a", when=When(header={"x-a": ("1",)})), Rule(name="b", when=When(header={"x-b": ("1",)}))]
    assert {"x-a", "x-b"} == header_names(rules)
