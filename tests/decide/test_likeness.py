"""Likeness never serves the opposite question: what turns a meaning around must be equal, and all around it too."""

from __future__ import annotations

import random
from statistics import fmean, pstdev

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router.decide.likeness import BINS, CHARS_MAX, GRAM, alike, fingerprint, likeness, signature_of
from router.decide.policy import Replies
from router.decide.turning import TURNING, guard_of
from router.vocabulary import Caller, Fingerprint
from router.wire.ask import read_messages
from tests.decide.alike import IN_LONG_TEXTS, ONE_MEANING, TWO_MEANINGS
from tests.decide.test_replies import ANN, BODY, HI, MUTATIONS, Json, ask, complete, rules_with, said

THRESHOLD = 0.8


def of(body: Json) -> Fingerprint | None:
    return fingerprint(ask(body), ANN, rules_with(), None)


def of_text(text: str) -> Fingerprint:
    found = of(said(text))
    assert found is not None
    return found


def alike_texts(one: str, other: str) -> float:
    return likeness(of_text(one), of_text(other))


def test_there_are_enough_pairs() -> None:
    assert len(set(TWO_MEANINGS)) >= 60
    assert len(set(ONE_MEANING)) >= 40
    assert len(IN_LONG_TEXTS) >= 5


@pytest.mark.parametrize("pair", [*TWO_MEANINGS, *IN_LONG_TEXTS])
def test_two_meanings_are_never_taken_for_one(pair: tuple[str, str]) -> None:
    assert 0.0 == alike_texts(*pair)


def test_letters_alone_would_take_many_of_them_for_one() -> None:
    """So it is not for want of likeness that none is served."""
    by_letters = [alike(*(signature_of(text) for text in pair)) for pair in (*TWO_MEANINGS, *IN_LONG_TEXTS)]
    assert sum(share >= THRESHOLD for share in by_letters) >= 25
    assert sum(share >= 0.6 for share in by_letters) >= 80


def test_of_one_meaning_spelt_otherwise_two_thirds_are_found() -> None:
    """30 of 46: the rest are short questions in which a slip is much, and words that count."""
    found = [alike_texts(*pair) for pair in ONE_MEANING]
    assert (46, 30) == (len(found), sum(share >= THRESHOLD for share in found))
    assert 38 == sum(share >= 0.5 for share in found)


THINGS = ["parcel", "order", "table", "chair", "window", "garden", "letter", "summer", "river", "music"]
WORDS = st.lists(st.sampled_from(THINGS), min_size=4)


@given(words=WORDS, at=st.integers(0, 99), turning=st.sampled_from(sorted(TURNING)))
def test_a_word_that_turns_the_meaning_counts_wherever_it_stands(words: list[str], at: int, turning: str) -> None:
    at = 1 + at % len(words)
    other = [*words[:at], turning, *words[at:]]
    assert guard_of(" ".join(words)) != guard_of(" ".join(other))


@given(words=WORDS, at=st.integers(0, 99), one=st.integers(-999, 999), other=st.integers(-999, 999))
def test_a_number_counts_wherever_it_stands(words: list[str], at: int, one: int, other: int) -> None:
    assume(one != other)
    at %= len(words)
    texts = [" ".join([*words[:at], str(number), *words[at:]]) for number in (one, other)]
    assert guard_of(texts[0]) != guard_of(texts[1])


@given(words=st.lists(st.sampled_from(["Ann", "Bob", "Cleo"]), min_size=2, max_size=5), dice=st.randoms())
def test_the_order_of_names_counts(words: list[str], dice: random.Random) -> None:
    mixed = dice.sample(words, len(words))
    same = guard_of("tell " + " ".join(words)) == guard_of("tell " + " ".join(mixed))
    assert (words == mixed) == same


def test_all_around_the_question_must_be_equal() -> None:
    asked = of(BODY)
    assert asked is not None
    alone = {"the question", "a space", "upper case"}
    others = {name: of(body) for name, body in MUTATIONS.items() if name not in alone}
    shares = {name: likeness(asked, other) for name, other in others.items() if other is not None}
    assert (dict.fromkeys(shares, 0.0), True) == (shares, len(shares) > 15)
    rules = rules_with()
    around = [
        fingerprint(ask(BODY), Caller(tenant="bob"), rules, None),
        fingerprint(ask(BODY), ANN, rules_with(hash="0" * 16), None),
        fingerprint(ask(BODY), ANN, rules, "vip"),
        fingerprint(ask(BODY, {"x-router-task": "chat"}), ANN, rules, None),
        fingerprint(ask(BODY, {"anthropic-beta": "b"}), ANN, rules, None),
        fingerprint(complete(BODY), ANN, rules, None),
    ]
    assert [0.0] * 6 == [likeness(asked, other) for other in around if other is not None]
    assert likeness(asked, msgspec.structs.replace(asked)) == 1.0


def test_blocks_before_the_question_must_be_equal_too() -> None:
    def with_context(context: str, question: str) -> Fingerprint:
        found = of(BODY | {"messages": [HI | {"content": [{"type": "text", "text": t} for t in (context, question)]}]})
        assert found is not None
        return found

    first = with_context("The shop is in Lyon.", "Where is the shop?")
    assert 1.0 == likeness(first, with_context("The shop is in Lyon.", "where is the shop"))
    assert 0.0 == likeness(first, with_context("The shop is in lyon.", "Where is the shop?"))


NOT_COMPARED: dict[str, Json] = {
    "a conversation": BODY | {"messages": [HI, {"role": "assistant", "content": "Hello"}, HI]},
    "a turn of the assistant": BODY | {"messages": [{"role": "assistant", "content": "Hello"}]},
    "a picture": BODY
    | {
        "messages": [
            HI
            | {
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aa"}},
                    {"type": "text", "text": "What is it?"},
                ]
            }
        ]
    },
    "a long text": said("a" * (CHARS_MAX + 1)),
    "no text": said(""),
    "no letters": said("?!"),
    "no words that we know": said("Как сбросить пароль?"),
    "some letters that we do not know": said("reset the 密码 of mine"),
    "a tool's result": BODY
    | {"messages": [HI | {"content": [{"type": "tool_result", "tool_use_id": "t", "content": "4"}]}]},
    "no blocks": BODY | {"messages": [HI | {"content": []}]},
}


@pytest.mark.parametrize("name", NOT_COMPARED)
def test_what_is_more_than_one_plain_question_is_like_no_other(name: str) -> None:
    assert None is of(NOT_COMPARED[name])


def test_what_must_not_be_answered_twice_is_like_no_other() -> None:
    assert None is fingerprint(ask(BODY, {"x-router-cache": "off"}), ANN, rules_with(), None)
    twice = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a","content":"b"}]}'
    assert None is fingerprint(read_messages(twice, {}), ANN, rules_with(), None)


def test_a_policy_that_shares_answers_shares_them_by_likeness_too() -> None:
    rules = rules_with(Replies(shared=True))
    both = [fingerprint(ask(BODY), Caller(tenant=tenant), rules, None) for tenant in ("ann", "bob")]
    assert both[0] is not None
    assert both[0] == both[1]


def grams(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[at : at + GRAM] for at in range(len(padded) - GRAM + 1)}


@pytest.mark.parametrize("words", [3, 6, 20, 80])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_signature_estimates_the_share_of_letters_in_common(words: int, share: float) -> None:
    dice = random.Random(7)
    errors = []
    for _ in range(150):
        one = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(words)]
        other = [word if dice.random() < share else word[::-1] for word in one]
        texts = (" ".join(one), " ".join(other))
        exact = len(grams(texts[0]) & grams(texts[1])) / len(grams(texts[0]) | grams(texts[1]))
        errors.append(alike(signature_of(texts[0]), signature_of(texts[1])) - exact)
    assert abs(fmean(errors)) < 0.02
    assert pstdev(errors) < 0.07


@given(text=st.text(max_size=60), other=st.text(max_size=60))
def test_likeness_of_any_texts_is_a_share_and_the_same_both_ways(text: str, other: str) -> None:
    one, two = signature_of(text), signature_of(other)
    assert (BINS, BINS) == (len(one), len(two))
    assert 0.0 <= alike(one, two) == alike(two, one) <= 1.0
    assert (1.0 if max(map(str.isalnum, text), default=False) else 0.0) == alike(one, one)
    assert all(0 <= number < 2**32 for number in one)
