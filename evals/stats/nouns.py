"""The nouns of the looks: what a design promises, what two tiers did on the same cases, what a look says.

Rule: no behaviour beyond a property that reads its own fields.
"""

from __future__ import annotations

from typing import Literal

from router.vocabulary.noun import Noun

from ..vocabulary import Claim

LookState = Literal["accept", "reject", "go on", "undecided"]


class TooFewCases(ValueError):
    """No look could accept, even if every case passed. The message says how many it takes."""

    def __init__(self, words: str, needed: int) -> None:
        super().__init__(words)
        self.needed = needed  # cases in all


class Pairs(Noun, frozen=True, kw_only=True):
    """How often which of two tiers was right, on the same cases."""

    both: int
    only_top: int  # the cheap tier's losses
    only_cheap: int  # its wins
    neither: int
    unasked: int = 0  # the cheap tier passed and the top tier was not asked: both, or a win

    @property
    def cases(self) -> int:
        return self.both + self.only_top + self.only_cheap + self.neither + self.unasked

    @property
    def cheap_passed(self) -> int:
        return self.both + self.only_cheap + self.unasked


class Design(Noun, frozen=True, kw_only=True):
    """The plan of a test, made before the first case is asked."""

    claim: Claim
    looks: tuple[int, ...]  # cases in all at each look
    chance: float  # that the claim is accepted though the truth lies on the line, all looks together, at most
    levels: tuple[float, ...]  # the part of that chance that each look may hold its bound with
    # Below this hope is gone, at each look: a pass rate for a bar; standard errors below the line for a margin.
    stops: tuple[float, ...]
    error: float  # the chance of accepting on the line, worked out exactly; at the worst discordance for a margin
    accept_at: tuple[int, ...] = ()  # a bar's: so many passes accept (more than cases: none can)
    point: float | None = None  # a bar's: the true pass rate that the design has `power` at
    power: float | None = None


class Look(Noun, frozen=True, kw_only=True):
    """What one look says."""

    state: LookState
    estimate: float  # the pass rate for a bar; top - cheap for a margin (its upper end while some are unasked)
    low: float  # of the estimate, two-sided 95 %, as if this were the only look: for people
    high: float
    at_least: float  # the pass rate's lower bound, one-sided 95 %, valid over the looks taken
    below_top: float | None = None  # the upper bound of top - cheap, likewise
    more_cases: int | None = None  # about so many more would decide, were the truth as observed; None: no number would
    words: str
    ask_rest: bool = False  # ask the top tier about the unasked cases too, and look again
