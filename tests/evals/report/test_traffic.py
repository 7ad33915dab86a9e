"""A month of traffic under each choice: the same requests, at exact prices, decided by the replay."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from evals.picking import Wanted, merged, picks, with_routes
from evals.report.traffic import MONTH_MS, Choice, Traffic, month
from evals.report.traffic_section import month_section
from router.decide.policy import RouteFile
from router.decide.price import cost
from router.vocabulary import Decided, Difficulty, Facts, LedgerRow, Usage, Verdict, Words
from tests.evals.report.sample import TICKETS, sample_run
from tests.ledger.fickle import started
from tests.ledger.samples import AT_MS, DAY_MS, ended
from tests.rulebooks import default_rules

NOW_MS = AT_MS + 29 * DAY_MS
USAGE = Usage(input_tokens=1_000, output_tokens=200)
RULES = default_rules()
PICKED = with_routes(RULES, merged(RouteFile(), picks(sample_run(TICKETS), RULES, Wanted()), RULES))


def price(model: str) -> int:
    return cost(USAGE, model, RULES.prices, AT_MS).pico


def decided(number: int, tier: str, difficulty: Difficulty | None) -> Decided:
    verdict = Verdict(task="classify" if difficulty else None, difficulty=difficulty, source="classifier")
    return Decided(
        request_id=f"req_{number}",
        at_ms=AT_MS + number * DAY_MS,
        facts=Facts(turns=1),
        words=Words(),
        verdict=verdict if difficulty else None,
        tier=tier,
        model=f"claude-{tier}-5-5",
        task="classify",
    )


def paid(note: Decided, **more: object) -> LedgerRow:
    named = {
        "attempt_id": f"att_{note.request_id}",
        "request_id": note.request_id,
        "at_ms": note.at_ms + 1,
        "role": "answer",
        "model": note.model,
        "tier": note.tier,
        "input_tokens": USAGE.input_tokens,
        "output_tokens": USAGE.output_tokens,
        "cost_pico": price(note.model),
    }
    return msgspec.structs.replace(ended(1), **{**named, **more})


def kept(folder: Path, *asked: tuple[str, Difficulty | None], **more: object) -> None:
    books = started(folder)
    for number, (tier, difficulty) in enumerate(asked):
        note = decided(number, tier, difficulty)
        books.note(note)
        books.settle(paid(note, **more))
    books.close()


def found(folder: Path) -> tuple[Traffic, dict[str, Choice]]:
    traffic = month(folder, RULES, PICKED, NOW_MS)
    assert traffic is not None
    return traffic, {choice.name: choice for choice in traffic.choices}


def test_the_same_requests_are_summed_under_each_choice_at_exact_prices(tmp_path: Path) -> None:
    """The policy sends an edge case of classify to opus; measured, haiku does it."""
    kept(tmp_path, ("opus", Difficulty.EDGE_CASE), ("haiku", Difficulty.SIMPLE), ("opus", Difficulty.EDGE_CASE))
    traffic, choices = found(tmp_path)
    haiku, sonnet, opus = (price(f"claude-{tier}-5-5") for tier in ("haiku", "sonnet", "opus"))
    assert (3, 3, 2.0) == (traffic.requests, traffic.counted, traffic.days)
    assert {
        "as it was paid": 2 * opus + haiku,
        "the policy as it is": 2 * opus + haiku,
        "with these picks": 3 * haiku,
        "all on haiku": 3 * haiku,
        "all on sonnet": 3 * sonnet,
        "all on opus": 3 * opus,
    } == {name: choice.pico for name, choice in choices.items()}
    assert ({"opus": 2, "haiku": 1}, {"haiku": 3}) == (
        choices["the policy as it is"].tiers, choices["with these picks"].tiers
    )  # fmt: skip


def test_a_request_counts_only_where_every_choice_is_known(tmp_path: Path) -> None:
    kept(tmp_path, ("opus", Difficulty.EDGE_CASE), ("sonnet", None))
    traffic, choices = found(tmp_path)
    assert (2, 1) == (traffic.requests, traffic.counted)
    assert {"needs a verdict that was not asked for then": 1} == traffic.unknown
    assert price("claude-opus-5-5") == choices["as it was paid"].pico


def test_what_checks_cost_is_paid_and_the_page_says_that_they_are_not_replayed(tmp_path: Path) -> None:
    books, note = started(tmp_path), decided(0, "haiku", Difficulty.SIMPLE)
    books.note(note)
    books.settle(paid(note))
    books.settle(paid(note, attempt_id="att_check", role="check", cost_pico=7))
    books.close()
    traffic, choices = found(tmp_path)
    assert price("claude-haiku-5-5") + 7 == choices["as it was paid"].pico == choices["the policy as it is"].pico
    assert price("claude-sonnet-5-5") == choices["all on sonnet"].pico
    assert "whether two answers would have agreed on another is not replayed" in "".join(month_section(traffic))


def test_what_was_never_answered_costs_nothing_elsewhere(tmp_path: Path) -> None:
    kept(tmp_path, ("opus", Difficulty.EDGE_CASE), billed="void", cost_pico=0)
    _, choices = found(tmp_path)
    assert {0} == {choice.pico for choice in choices.values()}


@pytest.mark.parametrize("now_ms", [NOW_MS + MONTH_MS])
def test_without_a_ledger_or_a_request_in_the_month_there_is_none(now_ms: int, tmp_path: Path) -> None:
    assert None is month(tmp_path, RULES, PICKED, NOW_MS)
    kept(tmp_path, ("opus", Difficulty.SIMPLE))
    assert None is month(tmp_path, RULES, PICKED, now_ms)


def test_without_picks_there_is_no_such_choice(tmp_path: Path) -> None:
    kept(tmp_path, ("opus", Difficulty.SIMPLE))
    traffic = month(tmp_path, RULES, None, NOW_MS)
    assert traffic is not None
    assert "with these picks" not in {choice.name for choice in traffic.choices}
