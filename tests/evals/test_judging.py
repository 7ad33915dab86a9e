"""What a model graded is held against what people say."""

from __future__ import annotations

import msgspec
import pytest

from evals.finding import Money, finding
from evals.judging import labelled
from evals.looping import measure
from evals.stats.judges import Labelled
from evals.suitefile.labels import HumanLabel, text_hash
from evals.vocabulary import GraderSpec
from evals.walking import Seen, Walk

from .worlds import MODELS, ScriptedEngine, case_of, suite_of, tried_of

TRIED = [tried_of("haiku", case_of(number), passed=number % 2 == 0) for number in range(20)]


def label(number: int, passed: bool, text: str = "") -> HumanLabel:
    text = text or f"haiku says {'right' if number % 2 == 0 else 'wrong'}"
    return HumanLabel(case=f"c{number:03}", text_hash=text_hash(text), passed=passed)


def test_labels_are_found_by_the_case_and_the_answers_own_text() -> None:
    labels = [label(0, True), label(2, False), label(1, True), label(3, False), label(4, True, "another answer")]
    assert Labelled(both_pass=1, only_human=1, only_judge=1, both_fail=1) == labelled(labels, TRIED)


@pytest.mark.anyio
async def test_a_judges_verdict_says_so_and_is_put_right_where_people_labelled() -> None:
    suite = msgspec.structs.replace(suite_of(), grader=GraderSpec(kind="judge"))
    walk = Walk(suite, ("haiku",), Seen())
    await measure(walk, ScriptedEngine(lambda _tier, case, _epoch: case % 10 != 0), lambda _suite, _need: None)
    money = Money(spent_pico=0, batch_percent=50)
    alone = finding(walk, MODELS, money)
    assert alone.judged
    assert "A model graded this, in both orders; no human labels." in alone.words
    labels = [
        HumanLabel(case=one.case, text_hash=text_hash(one.answer.text), passed=one.grade.passed)
        for one in walk.seen.all()
    ]
    (tier,) = finding(walk, MODELS, money, labels).tiers
    assert "as people grade it is" in tier.words
