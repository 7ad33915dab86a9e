"""What a judging model's pass rate is worth: corrected by cases that people labelled too, with what that leaves open.

    corrected(...)     the pass rate as people would have given it, and its interval
    agreement(...)     how often judge and people agree, and how much of that is chance (Cohen's kappa)
    order_swap(...)    the same answers judged in both orders: how often the order decided

Rule: pure numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

from router.vocabulary.noun import Noun

from .intervals import CHANCE, mcnemar_worse, wilson
from .quantiles import normal_above

LABELS_MIN = 100  # below this the correction is shown with a warning
SHARP_MIN = 0.2  # sensitivity + specificity - 1 of a judge whose verdicts can be corrected at all
SELDOM = 0.05


class Labelled(Noun, frozen=True, kw_only=True):
    """Cases that both people and the judge graded."""

    both_pass: int
    only_human: int  # people passed it, the judge did not
    only_judge: int
    both_fail: int

    @property
    def cases(self) -> int:
        return self.both_pass + self.only_human + self.only_judge + self.both_fail


class Corrected(Noun, frozen=True, kw_only=True):
    """A judge's pass rate, put right."""

    raw: float
    rate: float | None  # None: the judge tells passes from failures too badly, or the labels hold only one of them
    low: float
    high: float
    sensitivity: float | None  # of what people pass, the judge passes so much
    specificity: float | None  # of what people fail, the judge fails so much
    words: str


class Agreement(Noun, frozen=True, kw_only=True):
    agreed: float
    low: float
    high: float
    kappa: float | None  # 1: always; 0: as often as chance; None: one side never varies
    words: str


class OrderSwap(Noun, frozen=True, kw_only=True):
    """The same answers, judged twice with the order of what is shown swapped."""

    cases: int
    passed: int  # in both orders: only these count as passed
    flipped: int  # the order decided
    only_first: int  # passed in the first order alone
    p_value: float  # of a leaning to one order (exact, two-sided)
    words: str


def corrected(passed: int, cases: int, labels: Labelled) -> Corrected:
    """(rate + specificity - 1) / (sensitivity + specificity - 1), with an interval that carries what is not known of
    all three. (Drawing the shares at random instead was measured too: wider by a tenth, and it covers worse.)"""
    raw = passed / cases if cases else 0.0
    human_passed, human_failed = labels.both_pass + labels.only_human, labels.only_judge + labels.both_fail
    if not cases or not human_passed or not human_failed:
        return _not_corrected(raw, "not corrected: people must have labelled passes and failures among the cases")
    sensitivity, specificity = labels.both_pass / human_passed, labels.both_fail / human_failed
    sharp = sensitivity + specificity - 1
    if sharp < SHARP_MIN:
        words = f"not corrected: the judge passes {sensitivity:.0%} of what people pass and {1 - specificity:.0%} of"
        return _not_corrected(raw, f"{words} what they fail, which is too near to chance")
    rate = min(1.0, max(0.0, (raw + specificity - 1) / sharp))
    low, high = _between(passed, cases, labels)
    low, high = min(low, rate), max(high, rate)
    few = "" if labels.cases >= LABELS_MIN else f"; only {labels.cases} labelled cases, {LABELS_MIN} or more are wanted"
    return Corrected(
        raw=raw,
        rate=rate,
        low=low,
        high=high,
        sensitivity=sensitivity,
        specificity=specificity,
        words=f"the judge passed {raw:.1%}; as people grade it is {rate:.1%} (between {low:.1%} and {high:.1%}){few}",
    )


def agreement(labels: Labelled) -> Agreement:
    """How far the judge agrees with people."""
    if not labels.cases:
        return Agreement(agreed=0.0, low=0.0, high=1.0, kappa=None, words="nobody labelled a case")
    same = labels.both_pass + labels.both_fail
    agreed = same / labels.cases
    low, high = wilson(same, labels.cases)
    human = (labels.both_pass + labels.only_human) / labels.cases
    judge = (labels.both_pass + labels.only_judge) / labels.cases
    by_chance = human * judge + (1 - human) * (1 - judge)
    kappa = None if by_chance >= 1 else (agreed - by_chance) / (1 - by_chance)
    beyond = "" if kappa is None else f", kappa {kappa:.2f}"
    return Agreement(
        agreed=agreed,
        low=low,
        high=high,
        kappa=kappa,
        words=f"judge and people agree on {same} of {labels.cases} cases ({agreed:.0%}){beyond}",
    )


def order_swap(judged: Iterable[tuple[bool, bool]]) -> OrderSwap:
    """`judged`: of each answer, whether it passed in the first order, and in the swapped one."""
    pairs = list(judged)
    passed = sum(first and second for first, second in pairs)
    only_first = sum(first and not second for first, second in pairs)
    only_second = sum(second and not first for first, second in pairs)
    flipped = only_first + only_second
    p_value = min(1.0, 2 * mcnemar_worse(max(only_first, only_second), min(only_first, only_second)))
    leaning = ""
    if p_value < SELDOM:
        leaning = f", and it leans to the {'first' if only_first > only_second else 'second'} order (p = {p_value:.3f})"
    return OrderSwap(
        cases=len(pairs),
        passed=passed,
        flipped=flipped,
        only_first=only_first,
        p_value=p_value,
        words=f"the order decided {flipped} of {len(pairs)} verdicts{leaning}; what passed in one order alone counts as"
        " failed",
    )


def _between(passed: int, cases: int, labels: Labelled) -> tuple[float, float]:
    """The ends of the corrected rate: how far it moves with each of the three shares (delta method), each taken with
    one pass and one failure more than was seen, so that a share of 0 or 1 is not taken for certain."""
    raw, raw_spread = _share(passed, cases - passed)
    sensitivity, sensitivity_spread = _share(labels.both_pass, labels.only_human)
    specificity, specificity_spread = _share(labels.both_fail, labels.only_judge)
    sharp = max(SHARP_MIN / 2, sensitivity + specificity - 1)
    rate = (raw + specificity - 1) / sharp
    spread = raw_spread + rate**2 * sensitivity_spread + (1 - rate) ** 2 * specificity_spread
    reach = normal_above(CHANCE / 2) * sqrt(spread) / sharp
    return max(0.0, min(1.0, rate - reach)), max(0.0, min(1.0, rate + reach))


def _share(passed: int, failed: int) -> tuple[float, float]:
    """A share and its variance."""
    cases = passed + failed + 2
    share = (passed + 1) / cases
    return share, share * (1 - share) / cases


def _not_corrected(raw: float, why: str) -> Corrected:
    return Corrected(raw=raw, rate=None, low=0.0, high=1.0, sensitivity=None, specificity=None, words=why)
