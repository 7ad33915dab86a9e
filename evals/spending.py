"""What a run may spend, what it holds for calls under way, and what it will probably cost.

Rule: integers of pico-dollars. Before a call its worst case is held, after it what it cost takes its place; so what is
spent never passes the cap, whatever the answers turn out to be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from statistics import fmean

from router.decide.policy import Rulebook
from router.decide.price import cost
from router.vocabulary import PICO_PER_USD, Usage
from router.vocabulary.noun import Noun

from .ports import Halted
from .question import Question
from .report.words import dollars
from .vocabulary import Answered

CENT_PICO = PICO_PER_USD // 100
# Without any answer of a tier to go by: a quarter of what it may write, and no more than a short page.
GUESSED_SHARE = 4
GUESSED_TOKENS_MAX = 400


def for_option(pico: int) -> str:
    """As `--max-usd` takes it: rounded up to the cent."""
    return f"{-(-pico // CENT_PICO) / 100:.2f}"


class CapReached(Halted):
    """The cap does not allow one call more."""


class Purse:
    """A cap, what was spent of it, and what is held. For one event loop."""

    def __init__(self, cap_pico: int) -> None:
        self.cap_pico = cap_pico
        self.spent_pico = 0
        self.held_pico = 0
        self._changed = asyncio.Event()

    async def hold(self, pico: int) -> None:
        """Waits while calls under way may still leave enough. Raises CapReached where they cannot."""
        while self.spent_pico + self.held_pico + pico > self.cap_pico:
            if not self.held_pico:
                raise CapReached(
                    f"the cap of {dollars(self.cap_pico)} is reached: {dollars(self.spent_pico)} are spent,"
                    f" and one call more could cost {dollars(pico)}"
                )
            self._changed.clear()
            await self._changed.wait()
        self.held_pico += pico

    def fits(self, pico: int) -> bool:
        """Could so much be held at once?"""
        return self.spent_pico + self.held_pico + pico <= self.cap_pico

    def settle(self, held_pico: int, spent_pico: int) -> None:
        """What was held is over, and so much of it was spent."""
        self.held_pico -= held_pico
        self.spent_pico += spent_pico
        self._changed.set()


class Estimate(Noun, frozen=True, kw_only=True):
    """Before the first call: how many there will be, and what they cost probably and at most."""

    suite: str
    tier: str
    calls: int = 0
    known: int = 0  # answered already: they cost nothing
    expected_pico: int = 0
    worst_pico: int = 0
    dearest_pico: int = 0  # the worst case of the dearest call: so much must be left for any to be made
    guessed: bool = False  # no answer of this tier is known: its length is a guess
    mean_tokens: int | None = None  # of the answers that are known


def estimate(
    questions: Sequence[Question], known: Sequence[Answered | None], rules: Rulebook, how: tuple[int, bool],
    mean: int | None = None,
) -> Estimate:  # fmt: skip
    """Of one suite on one tier; `known` holds the answer of each question that has one. `how`: when it is paid, and
    whether by batch; `mean`: how long answers like these were, where none of these is known."""
    first, (at_ms, batch) = questions[0], how
    lengths = [answered.usage.output_tokens for answered in known if answered is not None]
    mean = round(fmean(lengths)) if lengths else mean
    missing = [question for question, answered in zip(questions, known, strict=True) if answered is None]
    usages = [Usage(input_tokens=one.ready.input_tokens, output_tokens=output_of(one, mean)) for one in missing]
    worst = [_batched(question.worst_pico, rules, batch) for question in missing]
    return Estimate(
        suite=first.suite,
        tier=first.tier,
        calls=len(missing),
        known=len(questions) - len(missing),
        expected_pico=sum(cost(usage, first.ready.model, rules.prices, at_ms, batch).pico for usage in usages),
        worst_pico=sum(worst),
        dearest_pico=max(worst, default=0),
        guessed=mean is None,
        mean_tokens=mean,
    )


def merged(name: str, estimates: Sequence[Estimate]) -> Estimate:
    """One line for many, under that name in the place of the tier's."""
    return Estimate(
        suite=estimates[0].suite,
        tier=name,
        calls=sum(one.calls for one in estimates),
        known=sum(one.known for one in estimates),
        expected_pico=sum(one.expected_pico for one in estimates),
        worst_pico=sum(one.worst_pico for one in estimates),
        dearest_pico=max(one.dearest_pico for one in estimates),
        guessed=any(one.guessed for one in estimates),
    )


def needed_pico(estimates: Iterable[Estimate]) -> int:
    """What must be there for these calls: what they probably cost, and room for the last one at its worst."""
    asked = [one for one in estimates if one.calls]
    return sum(one.expected_pico for one in asked) + max((one.dearest_pico for one in asked), default=0)


def output_of(question: Question, mean: int | None) -> int:
    """How many tokens its answer probably has."""
    guess = min(question.ready.max_tokens // GUESSED_SHARE, GUESSED_TOKENS_MAX)
    return min(guess if mean is None else mean, question.ready.max_tokens)


def _batched(pico: int, rules: Rulebook, batch: bool) -> int:
    return -(-pico * rules.prices.batch_percent // 100) if batch else pico
