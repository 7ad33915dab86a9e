"""A pass rate that is low because answers were cut, refused or another model's says so."""

from __future__ import annotations

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from evals.endings import endings
from evals.finding import Money, finding
from evals.report.terminal import show
from evals.vocabulary import Run, Tried
from evals.walking import Seen, Walk

from .report.sample import TICKETS, sample_run
from .worlds import MODELS, TIERS, case_of, suite_of, tried_of


def ended(number: int, stop_reason: str | None = "end_turn", *, passed: bool = False, model: str = "") -> Tried:
    one = tried_of("opus", case_of(number), passed)
    return replace(one, answer=replace(one.answer, stop_reason=stop_reason, model=model or one.answer.model))


@pytest.mark.parametrize(
    ("tried", "told"),
    [
        ([ended(0), ended(1, "max_tokens", passed=True)], ()),
        ([ended(0), ended(1, "max_tokens")], ("1 of the 2 that failed were cut at max_tokens",)),
        ([ended(0, "refusal"), ended(1, "refusal")], ("2 of the 2 that failed were refused by the model",)),
        ([ended(0, passed=True, model="claude-opus-5-5-20260801")], ()),
        ([ended(0, passed=True, model="some-proxy")], ("answered by some-proxy, not by claude-opus-5-5",)),
    ],
)
def test_only_what_explains_a_failure_is_told(tried: list[Tried], told: tuple[str, ...]) -> None:
    found = tuple(endings(tried, MODELS["opus"]))
    assert len(told) == len(found)
    assert all(words.startswith(start) for words, start in zip(found, told, strict=True))


def test_it_stands_beside_the_tiers_figures() -> None:
    suite = suite_of(40)
    walk = Walk(suite, TIERS, Seen(ended(number, "max_tokens") for number in range(40)))
    for _ in walk.steps():
        raise AssertionError("all is answered")
    (opus,) = finding(walk, MODELS, Money(spent_pico=0, batch_percent=50)).tiers[-1:]
    assert "; 40 of the 40 that failed were cut at max_tokens" in opus.words


def test_what_a_model_wrote_moves_no_cursor() -> None:
    evil = replace(TICKETS.pairs[0], case="\x1b]0;mine\x07", why="\x1b[2Jwiped", better_text="\x1b[31mred")
    console = Console(file=io.StringIO(), width=100)
    show(printed(replace(TICKETS, pairs=(evil,))), 3, console)
    assert isinstance(console.file, io.StringIO)
    assert "wiped" in console.file.getvalue()
    assert not {"\x1b", "\x07"} & set(console.file.getvalue())


def printed(*findings: object) -> Run:
    return sample_run(findings=findings)
