"""A gate answers where its labels show that it may, and nowhere else."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from evals.learn.bound import Asked
from evals.learn.drafting import Wanted
from evals.learn.fitting import NotEnough, fit_gate
from evals.learn.gap import Gap, Labels
from evals.learn.labels import Corpus, Label
from router.decide.gate import (
    ANSWERED,
    NOT_SURE,
    NOVEL,
    TOO_LONG,
    UNKNOWN_TASK,
    UNPROVEN,
    Compiled,
    answer,
)
from router.decide.gate_file import Gate, write_gate
from router.vocabulary import Difficulty
from tests.evals.learn.texts import bad_share, labels_of, text_of

WANTED = Wanted(asked=Asked(alpha=0.10, min_cases=50), fitted_on="a test")
SAFE, MIXED, HOPELESS = (0.01, 0.02), (0.02, 0.8), (0.6, 0.6)


def dice(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def gate_of(*labels: list[Label], wanted: Wanted = WANTED) -> Compiled:
    return Compiled(fit_gate([label for some in labels for label in some], wanted))


def verdicts(task: str, count: int, hard: float, chance: np.random.Generator) -> list[Label]:
    return [Label.of_verdict(label.text, task, Difficulty.COMPLEX if label.bad else Difficulty.SIMPLE)
            for label in labels_of(task, count, (0.0, hard), chance)]  # fmt: skip


def answered(gate: Compiled, labels: list[Label], named: str | None) -> list[Label]:
    return [label for label in labels if answer(gate, label.text, named).outcome == ANSWERED]


def test_a_safe_task_is_answered_and_a_hopeless_one_is_not() -> None:
    gate = gate_of(labels_of("refund", 200, SAFE, dice(1)), labels_of("poem", 200, HOPELESS, dice(2)))
    fresh = labels_of("refund", 200, SAFE, dice(3))
    assert len(answered(gate, fresh, "refund")) > 180
    said = answer(gate, fresh[0].text, "refund")
    assert (Difficulty.SIMPLE, "haiku", "refund") == (said.difficulty, said.tier, said.task)
    assert UNPROVEN == answer(gate, labels_of("poem", 1, SAFE, dice(4))[0].text, "poem").outcome
    assert "10% or more" in gate.tasks["poem"].said


def test_within_a_task_what_is_hard_is_left_to_the_classifier() -> None:
    gate = gate_of(labels_of("refund", 600, MIXED, dice(1)))
    fresh = labels_of("refund", 600, MIXED, dice(2))
    lane = gate.tasks["refund"].named
    assert lane is not None
    assert bad_share(fresh) > 0.2
    assert len(answered(gate, fresh, "refund")) > 300
    assert bad_share(answered(gate, fresh, "refund")) <= 0.10
    hard = [text_of("refund", True, dice(3, at)) for at in range(20)]
    assert NOT_SURE in {answer(gate, text, "refund").outcome for text in hard}


@pytest.mark.parametrize("alpha", [0.10, 0.15])
def test_the_bound_is_broken_in_one_of_ten_gates_at_most(alpha: float) -> None:
    """By simulation, of a task that is just too hard as a whole."""
    wanted = Wanted(asked=Asked(alpha=alpha))
    broken = opened = 0
    for at in range(30):
        gate = gate_of(labels_of("refund", 300, (0.04, 0.5), dice(at, 1)), wanted=wanted)
        fresh = labels_of("refund", 400, (0.04, 0.5), dice(at, 2))
        given = answered(gate, fresh, "refund")
        opened += bool(given)
        broken += bad_share(given) > alpha
    assert opened >= 8
    assert broken <= 3


def test_a_task_that_was_not_fitted_is_never_answered() -> None:
    gate = gate_of(labels_of("refund", 300, SAFE, dice(1)), labels_of("query", 300, SAFE, dice(2)))
    poems = labels_of("poem", 100, SAFE, dice(3))
    assert {UNKNOWN_TASK} == {answer(gate, poem.text, "poem").outcome for poem in poems}
    assert {UNKNOWN_TASK} == {answer(gate, poem.text, None).outcome for poem in poems}


def test_another_task_under_a_known_name_is_novel() -> None:
    gate = gate_of(labels_of("refund", 300, SAFE, dice(1)))
    for other in ("poem", "query"):
        texts = [label.text for label in labels_of(other, 100, SAFE, dice(2))]
        assert {NOVEL} == {answer(gate, text, "refund").outcome for text in texts}


def test_what_is_longer_than_all_that_was_seen_is_left_to_the_classifier() -> None:
    gate = gate_of(labels_of("refund", 200, SAFE, dice(1)))
    assert TOO_LONG == answer(gate, "please " * 2_000, "refund").outcome


def test_of_few_labels_it_says_how_many_more_it_takes() -> None:
    gate = gate_of(labels_of("refund", 40, SAFE, dice(1)))
    assert gate.tasks["refund"].named is None
    assert "not enough labels: about" in gate.tasks["refund"].said


def test_without_any_task_that_has_enough_there_is_nothing_to_fit() -> None:
    with pytest.raises(NotEnough, match="the one with most has 7"):
        fit_gate(labels_of("refund", 7, SAFE, dice(1)), WANTED)
    with pytest.raises(NotEnough, match="has 0"):
        fit_gate([], WANTED)


def test_small_tasks_share_a_lane_and_say_so() -> None:
    gate = gate_of(*(labels_of(task, 50, SAFE, dice(at)) for at, task in enumerate(("refund", "poem", "query"))))
    lanes = [known.named for known in gate.tasks.values()]
    assert all(lane is not None and set(lane.together) == {"refund", "poem", "query"} for lane in lanes)
    assert "taken together with poem, query" in gate.tasks["refund"].said


def test_the_same_labels_in_another_order_give_the_same_bytes() -> None:
    labels = labels_of("refund", 120, MIXED, dice(1)) + labels_of("poem", 120, SAFE, dice(2))
    assert write_gate(fit_gate(labels, WANTED)) == write_gate(fit_gate(labels[::-1], WANTED))


def test_a_text_that_was_labelled_twice_counts_once() -> None:
    labels = labels_of("refund", 60, SAFE, dice(1))
    again = [msgspec.structs.replace(label, text=f"  {label.text} ") for label in labels]
    assert fit_gate(labels * 5 + again, WANTED).tasks[0].labels == 60


def test_labels_of_other_tiers_or_another_model_are_left_out() -> None:
    most = [msgspec.structs.replace(label, model="new") for label in labels_of("refund", 80, SAFE, dice(1))]
    rest = [msgspec.structs.replace(label, model="old") for label in labels_of("refund", 40, HOPELESS, dice(2))]
    known = fit_gate(most + rest, WANTED).tasks[0]
    assert (80, "new", "haiku", "opus") == (known.labels, known.model, known.cheap, known.strong)


def test_the_gate_sees_what_the_fit_saw() -> None:
    """The matrices of the fit and the plain code that answers agree, but for how weights are rounded in the file."""
    labels = labels_of("refund", 150, MIXED, dice(1)) + labels_of("poem", 150, HOPELESS, dice(2))
    compiled = Compiled(fit_gate(labels, WANTED))
    corpus = Corpus(labels, WANTED.max_chars, WANTED.seed, {})
    rows = corpus.known(fit=True)
    tiers = [np.array([getattr(corpus.labels[row], tier) for row in rows]) for tier in ("weak", "strong")]
    gap = Gap(corpus.pile, corpus.tasks, Labels(rows=rows, weak=tiers[0], strong=tiers[1], spare=rows[:0]))
    every = np.arange(len(corpus.labels))
    fitted = gap.gain(corpus.pile, corpus.tasks, every)
    served = [compiled.gain(corpus.pile.readings[row], compiled.tasks[corpus.labels[row].task]) for row in every]
    assert np.allclose(fitted, served, atol=5e-3)
    assert np.std(fitted) > 0.05


# ---- from the classifier's verdicts


def test_verdicts_stand_in_where_nothing_was_graded() -> None:
    gate = gate_of(verdicts("refund", 300, 0.05, dice(1)))
    said = answer(gate, labels_of("refund", 1, SAFE, dice(2))[0].text, "refund")
    assert (ANSWERED, None) == (said.outcome, said.tier)
    assert "it is simple" in said.words


def test_graded_labels_come_before_verdicts() -> None:
    gate = gate_of(labels_of("refund", 200, HOPELESS, dice(1)), verdicts("refund", 400, 0.0, dice(2)))
    assert ("graded", 200) == (gate.tasks["refund"].source, gate.tasks["refund"].labels)
    assert gate.tasks["refund"].named is None


def traffic(*seed: int, count: int = 240) -> list[Label]:
    return [label for at, task in enumerate(("refund", "poem", "query"))
            for label in verdicts(task, count, 0.9 if task == "query" else 0.05, dice(at, *seed))]  # fmt: skip


def test_nobody_is_recognised_unless_that_was_asked_for() -> None:
    gate = gate_of(traffic(1))
    assert not gate.recognises
    assert {UNKNOWN_TASK} == {answer(gate, label.text, None).outcome for label in traffic(2, count=20)}


def test_tasks_are_recognised_within_the_bound() -> None:
    wanted = msgspec.structs.replace(WANTED, recognise=True)
    gate = gate_of(traffic(1, count=400), wanted=wanted)
    fresh = traffic(2)
    found = [(label, answer(gate, label.text, None)) for label in fresh]
    given = [(label, said) for label, said in found if said.outcome == ANSWERED]
    wrong = sum(said.task != label.task or label.bad for label, said in given)
    assert len(given) > 100
    assert wrong <= 0.10 * len(given)


def test_without_other_traffic_no_task_is_recognised() -> None:
    wanted = msgspec.structs.replace(WANTED, recognise=True)
    gate = gate_of(verdicts("refund", 400, 0.02, dice(1)), wanted=wanted)
    assert not gate.recognises


def test_graded_labels_alone_never_open_the_gate_to_what_nobody_named() -> None:
    wanted = msgspec.structs.replace(WANTED, recognise=True)
    gate = gate_of(labels_of("refund", 300, SAFE, dice(1)), labels_of("poem", 300, SAFE, dice(2)), wanted=wanted)
    assert not gate.recognises


def test_a_gate_says_what_it_rests_on() -> None:
    gate: Gate = fit_gate(labels_of("refund", 200, SAFE, dice(1)), WANTED)
    lane = gate.tasks[0].named
    assert lane is not None
    assert (0.10, 0.90, 50, "a test") == (gate.alpha, gate.confidence, gate.min_cases, gate.fitted_on)
    assert 50 <= lane.cases <= lane.calibrated_on == 120
    assert lane.bound <= gate.alpha
