"""A threshold is named only where what was observed proves it: against a truth that the test has made."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import fmean

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.interval import cases_to_prove, share_between
from router.decide.likeness import BINS, fingerprint
from router.decide.likeness_fit import EARLIER_MAX, THRESHOLDS, Fitted, Row, Wanted, differ, fit, questions_needed
from router.decide.observing import is_exact, observed
from router.decide.policy import Output, Task
from router.vocabulary import Caller, Fingerprint, Observed
from tests.decide.test_replies import ANN, BODY, ask, complete, rules_with
from tests.rulebooks import default_rules
from tests.worlds import message

DAY_MS = 86_400_000


def note(number: int, changed: int = 0, answer: bytes = b"a", guard: int = 0, **more: object) -> Observed:
    """Signatures differ in the first `changed` bins."""
    signature = tuple(range(1_000 * number, 1_000 * number + changed)) + tuple(range(changed, BINS))
    made = Observed(
        at_ms=number,
        request_id=f"req_{number}",
        tenant=b"t",
        task="chat",
        scope=b"s",
        guard=guard.to_bytes(4, "little"),
        signature=signature,
        answer_signature=(1,) * BINS,
        answer_digest=answer,
        exact=True,
    )
    return msgspec.structs.replace(made, **more)


def row(fitted: Fitted, threshold: float) -> Row:
    return next(row for row in fitted.rows if row.threshold == threshold)


# ---- the interval


def test_the_interval_is_the_one_of_the_tables() -> None:
    """Clopper and Pearson's, as statistics packages give it, to six places."""
    given = {(0, 10): (0.0, 0.308497), (1, 10): (0.002529, 0.445016), (5, 10): (0.187086, 0.812914)}
    given |= {(10, 10): (0.691503, 1.0), (3, 1000): (0.000619, 0.008742)}
    found = {case: tuple(round(end, 6) for end in share_between(*case, 0.05)) for case in given}
    assert given == found


@given(cases=st.integers(1, 400), share=st.floats(0, 1), chance=st.floats(0.001, 0.5))
def test_the_interval_holds_the_observed_share_and_narrows_with_chance(cases: int, share: float, chance: float) -> None:
    bad = round(share * cases)
    low, high = share_between(bad, cases, chance)
    assert 0 <= low <= bad / cases <= high <= 1
    wider = share_between(bad, cases, chance / 2)
    assert wider[0] <= low <= high <= wider[1]


@pytest.mark.parametrize("share", [0.002, 0.05, 0.4])
def test_the_interval_covers_the_truth_as_often_as_it_says(share: float) -> None:
    dice = random.Random(3)
    runs = 2_000
    covered = 0
    for _ in range(runs):
        low, high = share_between(sum(dice.random() < share for _ in range(150)), 150, 0.05)
        covered += low <= share <= high
    assert covered >= 0.945 * runs


@pytest.mark.parametrize("rate", [0.0, 0.002, 0.008])
def test_as_many_cases_as_it_says_are_enough_and_fewer_are_not(rate: float) -> None:
    enough = cases_to_prove(0.01, rate, 0.05)
    assert enough is not None
    upper = [share_between(-int(-rate * cases // 1), cases, 0.05)[1] for cases in (enough, enough // 2)]
    assert upper[0] < 0.01 <= upper[1]
    assert (368, None) == (cases_to_prove(0.01, 0.0, 0.05), cases_to_prove(0.01, 0.01, 0.05))


# ---- pairs


def test_each_question_is_held_against_the_one_before_it_that_is_most_alike() -> None:
    notes = [note(1, 0), note(2, 30), note(3, 1, answer=b"b")]
    fitted = fit(notes)
    assert (3, 2, 1, 1) == (fitted.questions, row(fitted, 0.5).hits, row(fitted, 0.95).hits, row(fitted, 0.95).false)


def test_no_question_is_in_two_pairs_that_count() -> None:
    fitted = fit([note(number) for number in range(9)])
    assert (8, 4) == (row(fitted, 1.0).hits, row(fitted, 1.0).pairs)


@pytest.mark.parametrize(
    "other",
    [
        note(2, guard=1),
        note(2, scope=b"other"),
        note(2, tenant=b"u"),
        note(2, at_ms=DAY_MS + 2),
        note(2, changed=40),
    ],
)
def test_questions_that_no_answer_would_pass_between_are_no_pair(other: Observed) -> None:
    assert [0] * len(THRESHOLDS) == [row.hits for row in fit([note(1), other]).rows]


def test_of_many_questions_only_the_newest_are_looked_through() -> None:
    first = [note(0), *(note(number, changed=64) for number in range(1, EARLIER_MAX))]
    assert 1 == row(fit([*first, note(EARLIER_MAX)]), 1.0).hits
    assert 0 == row(fit([*first, note(EARLIER_MAX, changed=64), note(EARLIER_MAX + 1)]), 1.0).hits


def test_answers_differ_by_their_digest_or_by_their_words() -> None:
    one = note(1, exact=False, answer_signature=(*[1] * 40, *[2] * 24))
    near, far = (
        msgspec.structs.replace(one, answer_digest=b"b", answer_signature=(*[1] * same, *[3] * (BINS - same)))
        for same in (32, 31)
    )
    assert [False, False, True] == [differ(one, other, 0.5) for other in (one, near, far)]
    assert differ(one, msgspec.structs.replace(near, exact=True), 0.5)
    assert not differ(one, msgspec.structs.replace(far, answer_digest=b"a", exact=True), 0.5)


# ---- the threshold


def world(dice: random.Random, pairs: int, false_at: Callable[[float], float]) -> list[Observed]:
    """Pairs of questions, each pair for itself; how often their answers differ hangs on how alike they are."""
    notes = []
    for number in range(pairs):
        changed = dice.randrange(0, 28)
        differs = dice.random() < false_at((BINS - changed) / BINS)
        notes.append(note(2 * number, guard=number))
        notes.append(note(2 * number + 1, changed, b"b" if differs else b"a", guard=number))
    return notes


def truth(threshold: float, false_at: Callable[[float], float]) -> float:
    shares = [(BINS - changed) / BINS for changed in range(28)]
    return fmean(false_at(share) for share in shares if share >= threshold)


def test_the_intervals_of_all_thresholds_cover_the_truth_together() -> None:
    def false_at(share: float) -> float:
        return 0.3 * (1 - share)

    missed = 0
    for seed in range(60):
        fitted = fit(world(random.Random(seed), 300, false_at))
        reached = [row for row in fitted.rows if row.threshold >= 0.6]
        missed += any(not row.low <= truth(row.threshold, false_at) <= row.high for row in reached)
    assert missed <= 3


def test_a_threshold_that_is_named_is_good_enough_in_truth() -> None:
    def false_at(share: float) -> float:
        return 0.0 if share >= 0.85 else 0.25

    named = [fit(world(random.Random(seed), 3_000, false_at)).threshold for seed in range(12)]
    assert {0.85} == set(named), "lower ones are wrong by far, and this one is proven"


def test_where_every_threshold_is_just_too_bad_hardly_ever_one_is_named() -> None:
    named = sum(
        fit(world(random.Random(seed), 400, lambda _share: 0.05), Wanted(max_false=0.05)).threshold is not None
        for seed in range(100)
    )
    assert named <= 5


def test_with_too_little_evidence_it_says_how_much_is_missing() -> None:
    fitted = fit(world(random.Random(1), 200, lambda _share: 0.0))
    assert (None, 0.5) == (fitted.threshold, fitted.at)
    assert fitted.more_pairs is not None
    assert "not enough evidence" in fitted.words
    enough = 200 + fitted.more_pairs
    assert 0.5 == fit(world(random.Random(1), enough, lambda _share: 0.0)).threshold
    assert None is fit(world(random.Random(1), enough - 2, lambda _share: 0.0)).threshold
    assert questions_needed(fitted) == 2 * fitted.more_pairs


def test_where_even_equal_questions_get_other_answers_it_says_so() -> None:
    fitted = fit(world(random.Random(1), 600, lambda _share: 0.4))
    assert (None, None) == (fitted.threshold, fitted.more_pairs)
    equal = row(fitted, 1.0)
    assert f"{equal.false} of {equal.pairs} got another answer" in fitted.words


def test_without_anything_observed_nothing_is_named() -> None:
    fitted = fit([])
    assert (0, None) == (fitted.questions, fitted.threshold)
    assert all((0, 0.0, 1.0) == (row.pairs, row.low, row.high) for row in fitted.rows)


def test_the_same_notes_and_seed_give_the_same() -> None:
    notes = world(random.Random(5), 50, lambda _share: 0.2)
    mixed = random.Random(6).sample(notes, len(notes))
    assert fit(notes) == fit(mixed)


# ---- the notes


QUESTION = Fingerprint(scope=b"s", guard=b"g", signature=(1,) * BINS)


def seen(text: str, exact: bool = False, caller: Caller = ANN) -> Observed:
    found = observed(QUESTION, message(text), caller, "chat", exact, 5)
    assert found is not None
    return found


def test_a_note_holds_no_word_and_no_name() -> None:
    asked = fingerprint(ask(BODY), ANN, rules_with(), None)
    assert asked is not None
    found = observed(asked, message("A secret answer."), Caller(tenant="ann", request_id="r"), "chat", False, 5)
    assert found is not None
    assert (asked.scope, asked.guard, asked.signature) == (found.scope, found.guard, found.signature)
    assert (5, "r", "chat") == (found.at_ms, found.request_id, found.task)
    raw = msgspec.msgpack.encode(found)
    assert [] == [word for word in (b"secret", b"ann", b"Hi") if word in raw]
    assert found.tenant != seen("x", caller=Caller(tenant="bob")).tenant


def test_what_makes_no_other_answer_makes_no_other_digest() -> None:
    assert seen("So  be\nit").answer_digest == seen("so be it ").answer_digest != seen("so be").answer_digest
    spelt = ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}', '{"b":[2],"a":2}', "no JSON")
    digests = [seen(text, exact=True).answer_digest for text in spelt]
    assert (True, 3) == (digests[0] == digests[1], len(set(digests)))


def test_what_is_no_answer_in_words_is_not_noted() -> None:
    given = (message(""), message("  "), b"{}", b"no message", b'{"content":[{"type":"text","text":1}]}')
    assert [None] * 5 == [observed(QUESTION, body, ANN, "chat", False, 5) for body in given]


def test_json_that_was_asked_for_is_compared_exactly() -> None:
    promises = rules_with(tasks={**default_rules().tasks, "sort": Task(output=Output(type="enum", values=("a",)))})
    format_asked = ask(BODY | {"output_config": {"format": {"type": "json_schema", "schema": {}}}})
    assert (True, False) == (is_exact(complete(BODY), promises, "sort"), is_exact(ask(BODY), promises, "sort"))
    assert (True, False) == (is_exact(format_asked, promises, "chat"), is_exact(complete(BODY), promises, "none"))
