"""The local gate answers only inside what it was shown to be right about, and a file that is no gate is refused.

The gate here is made by hand; how one is fitted is tested with evals/learn.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.gate import (
    ANSWERED,
    NOT_SURE,
    NOVEL,
    OUTCOMES,
    TOO_LONG,
    UNKNOWN_TASK,
    UNPROVEN,
    Compiled,
    Gated,
    answer,
)
from router.decide.gate_file import (
    Gate,
    Known,
    Lane,
    Likeness,
    Linear,
    packed_grams,
    packed_scales,
    read_gate,
    write_gate,
)
from router.decide.gate_text import MEASURES, read, shortened
from router.vocabulary import Difficulty

EASY = "Please sort this ticket: my parcel is late."
HARD = "Please sort this ticket: my parcel is ambiguous."
READ = read(EASY, 4_000)
SIZE = len(MEASURES)
WORDS = tuple(sorted(READ.words | read("ambiguous", 99).words))
NONE = (0.0,) * SIZE
LANE = Lane(risk_max=0.3, cases=80, bad=2, calibrated_on=100, coverage=0.8, bound=0.0652)


def linear(bias: float, ambiguous: float) -> Linear:
    """One word weighs something, all else nothing."""
    (weighty,) = read("ambiguous", 99).words
    grams = [ambiguous if word == weighty else 0.0 for word in WORDS]
    return Linear(bias=bias, measures=NONE, grams=packed_scales(grams))


def known(name: str, **changes: Any) -> Known:
    spread = (1.0,) * SIZE
    precision = [float(row == column) for row in range(SIZE) for column in range(SIZE)]
    likeness = Likeness(
        middles=READ.measures,
        spreads=spread,
        precision=packed_scales(precision),
        words=packed_grams(sorted(READ.words)),
        pairs=packed_grams(sorted(READ.pairs)),
        far_max=4.0,
        share_min=0.4,
        near_max=0.1,
        share_near=0.6,
    )
    made = Known(
        name=name,
        source="graded",
        cheap="haiku",
        strong="opus",
        labels=200,
        bad=5,
        said="",
        difficulty=0.0,
        gap=0.0,
        length=READ.measures[0],
        likeness=likeness,
    )
    return msgspec.structs.replace(made, **changes)


def gate_of(*tasks: Known, **changes: Any) -> Gate:
    """Everything is easy, but for what is ambiguous."""
    made = Gate(
        version=1,
        fitted_at_ms=1,
        fitted_on="a test",
        alpha=0.1,
        confidence=0.9,
        min_cases=50,
        max_chars=4_000,
        chars_max=300,
        middles=NONE,
        spreads=(1.0,) * SIZE,
        length_spread=1.0,
        length_difficulty=0.0,
        length_gap=0.0,
        words=packed_grams(WORDS),
        pairs="",
        rarities=packed_scales((1.0,) * len(WORDS)),
        difficulty=linear(-3.0, 12.0),
        gap=linear(3.0, 0.0),
        tasks=tasks,
    )
    return msgspec.structs.replace(made, **changes)


GATE = gate_of(known("sort", named=LANE), known("write"), known("talk", sorter=linear(4.0, -20.0), recognised=LANE))


def ask(text: str, named: str | None, gate: Gate = GATE) -> Gated:
    return answer(Compiled(gate), text, named)


def test_a_request_like_those_that_were_measured_is_answered() -> None:
    said = ask(EASY, "sort")
    assert (ANSWERED, "sort", Difficulty.SIMPLE, "haiku") == (said.outcome, said.task, said.difficulty, said.tier)
    assert said.words == "sort: haiku does; at most 6.5% of such answers are wrong (80 cases)"
    assert said.risk is not None
    assert said.risk < LANE.risk_max


@pytest.mark.parametrize(
    ("text", "named", "outcome"),
    [
        (HARD, "sort", NOT_SURE),
        (EASY, "cook", UNKNOWN_TASK),
        (EASY, "write", UNPROVEN),
        (EASY * 9, "sort", TOO_LONG),
        ("", "sort", NOVEL),
        ("1, 2, 3, 4, 5? {} [] ();", "sort", NOVEL),
        ("Kindly mail that stuff over: her bicycle was here.", "sort", NOVEL),
        ("Kindly mail that stuff over: her bicycle was here.", None, NOVEL),
    ],
)
def test_whatever_else_is_left_to_the_classifier(text: str, named: str | None, outcome: str) -> None:
    said = ask(text, named)
    assert (outcome, None, None) == (said.outcome, said.difficulty, said.tier)


def test_nobody_named_a_task_and_it_is_recognised() -> None:
    said = ask(EASY, None)
    assert (ANSWERED, "talk") == (said.outcome, said.task)


def test_what_is_hardly_recognised_is_left_to_the_classifier() -> None:
    hardly = gate_of(known("talk", sorter=linear(0.5, 0.0), recognised=LANE))
    assert (NOT_SURE, "talk") == (ask(EASY, None, hardly).outcome, ask(EASY, None, hardly).task)


def test_without_a_lane_for_it_nothing_is_recognised() -> None:
    for task in (known("sort", named=LANE), known("talk", sorter=linear(4.0, 0.0))):
        assert UNKNOWN_TASK == ask(EASY, None, gate_of(task)).outcome


def test_what_is_recognised_must_be_nearer_than_what_was_named() -> None:
    text = "Please sort this ticket: my parcel."
    named = gate_of(known("talk", sorter=linear(4.0, 0.0), named=LANE, recognised=LANE))
    assert (ANSWERED, NOVEL) == (ask(text, "talk", named).outcome, ask(text, None, named).outcome)


def test_the_risk_must_be_below_the_threshold_not_on_it() -> None:
    compiled = Compiled(GATE)
    risk = compiled.risk(READ, compiled.tasks["sort"])
    at = gate_of(known("sort", named=msgspec.structs.replace(LANE, risk_max=risk)))
    assert NOT_SURE == ask(EASY, "sort", at).outcome


def test_a_longer_text_of_the_task_is_a_greater_risk() -> None:
    compiled = Compiled(gate_of(known("sort"), length_difficulty=0.25, length_gap=0.1))
    risks = [compiled.risk(read(EASY * times, 4_000), compiled.tasks["sort"]) for times in (1, 2, 4)]
    assert risks == sorted(set(risks))


def test_verdicts_that_were_learnt_name_no_tier() -> None:
    said = ask(EASY, "sort", gate_of(known("sort", cheap=None, named=LANE)))
    assert (ANSWERED, None) == (said.outcome, said.tier)
    assert said.words.startswith("sort: it is simple;")


@given(st.text(max_size=400), st.sampled_from(["sort", "write", "talk", "cook", None]))
def test_any_text_gets_an_outcome_that_is_known_and_no_word_of_it_is_said(text: str, named: str | None) -> None:
    said = ask(f"{text} zanzibar", named)
    assert said.outcome in OUTCOMES
    assert "zanzibar" not in said.words


# ---- how a text is read


@given(st.text(alphabet=st.characters(codec=None), max_size=300), st.integers(1, 300))
def test_any_text_can_be_read(text: str, max_chars: int) -> None:
    reading = read(text, max_chars)
    assert len(MEASURES) == len(reading.measures)
    assert all(map(isfinite, reading.measures))
    assert len(text) == reading.chars
    assert all(0 <= one < 65_536 for one in reading.words | reading.pairs)
    assert reading == read(text, max_chars)


def test_numbers_are_one_word_and_case_is_none() -> None:
    one, other = read("Add 3 and 41.", 99), read("ADD 7,000 and 2.", 99)
    assert (one.words, one.pairs) == (other.words, other.pairs)
    assert one.measures != other.measures


def test_of_a_long_text_head_and_tail_are_read() -> None:
    text = "head " * 100 + "middle " * 1_000 + "tail " * 100
    cut = shortened(text, 600)
    assert cut.startswith("head head")
    assert cut.endswith("tail tail ")
    assert "\n" in cut
    assert read(text, 600).words == read(cut, 10_000).words


# ---- the file


def test_what_was_written_is_read_again() -> None:
    assert GATE == read_gate(write_gate(GATE))


def with_task(**changes: Any) -> Gate:
    return gate_of(msgspec.structs.replace(known("sort"), **changes))


def with_likeness(**changes: Any) -> Gate:
    return with_task(likeness=msgspec.structs.replace(known("sort").likeness, **changes))


BROKEN: dict[str, Callable[[], Gate]] = {
    "of version 9": lambda: gate_of(version=9),
    "numbers cannot be read": lambda: gate_of(words="@@"),
    "not a weight for each word": lambda: gate_of(difficulty=Linear(bias=0.0, measures=NONE, grams="")),
    "18 measures everywhere": lambda: gate_of(middles=(0.0,)),
    "does not have 18 measures": lambda: with_likeness(precision=""),
    "a spread is not above 0": lambda: with_likeness(spreads=(0.0,) * SIZE),
    "a weight is no number": lambda: gate_of(rarities=packed_scales((float("inf"),) * len(WORDS))),
    "a task is in it twice": lambda: gate_of(known("sort"), known("sort")),
    "a bound is above its alpha": lambda: with_task(named=msgspec.structs.replace(LANE, bound=0.11)),
}


@pytest.mark.parametrize("words", BROKEN)
def test_a_file_that_does_not_hold_together_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match=f"{words}.*fit it again"):
        read_gate(write_gate(BROKEN[words]()))


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b"\xff", write_gate(GATE)[:-20],
                                  write_gate(GATE).replace(b'"alpha"', b'"alfa"')])  # fmt: skip
def test_what_is_no_gate_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is no gate: .*fit it again"):
        read_gate(data)
