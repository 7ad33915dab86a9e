"""What the ledger's last thirty days would cost under each choice: all on one tier, the policy as it is, and the policy
with the picks.

Rule: reads the ledger, lets decide/replay.py decide, and adds up. A request counts only where every choice is known,
so that the sums are of the same requests; tokens are those that were used, at the other model's exact price.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from router.decide.policy import Rulebook
from router.decide.price import cost
from router.decide.replay import Replay, Spent
from router.ledger.history import Spent as Kept
from router.ledger.history import decisions
from router.ledger.report import NoLedger
from router.vocabulary import Decided, Usage
from router.vocabulary.noun import Noun

DAY_MS = 86_400_000
MONTH_MS = 30 * DAY_MS
CAVEAT = (
    "The tokens that were used, at each model's exact price; what a request would have used on another model is not"
    " known, nor whether it would have been answered as well. A prompt cache is taken as warm as it was. What"
    " checks of an answer (`agree`) cost is in what was paid, and stays where the model stays; whether two answers"
    " would have agreed on another is not replayed. The classifier's own calls and what was spent on measuring are not"
    " in the figures."
)


class Choice(Noun, frozen=True, kw_only=True):
    """One way to serve the same requests."""

    name: str
    pico: int
    tiers: Mapping[str, int] = {}  # requests by tier


class Traffic(Noun, frozen=True, kw_only=True):
    """A month of requests, and what they cost under each choice; `choices[0]` is what was paid."""

    days: float  # between the first and the last of them
    requests: int
    counted: int
    unknown: Mapping[str, int]  # why a request does not count
    choices: tuple[Choice, ...]


class _Sum:
    """One way to serve, added up request by request."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pico = 0
        self.tiers: Counter[str] = Counter()

    def add(self, tier: str, pico: int) -> None:
        self.tiers[tier] += 1
        self.pico += pico

    def done(self) -> Choice:
        return Choice(name=self.name, pico=self.pico, tiers=dict(self.tiers.most_common()))


class _Policy:
    """A policy's replay, a request at a time."""

    def __init__(self, name: str, rules: Rulebook) -> None:
        self.sum = _Sum(name)
        self.why = ""
        self._replay = Replay(rules)
        self._tiers: Counter[str] = Counter()

    def decide(self, past: Decided, spent: Spent) -> tuple[str, int] | None:
        """The tier and the cost; None: it cannot be known, and `why` says why."""
        replay = self._replay
        missing, pico, tiers = replay.unknown + replay.refused, replay.after.pico, Counter(replay.after.by_tier)
        replay.add(past, spent)
        gone = (replay.unknown + replay.refused) - missing
        if gone:
            self.why = next(iter(gone))
            return None
        (tier,) = replay.after.by_tier - tiers
        return tier, replay.after.pico - pico


def month(data_dir: Path, rules: Rulebook, picked: Rulebook | None, now_ms: int) -> Traffic | None:
    """None where there is no ledger, or no request in it."""
    policies = [_Policy("the policy as it is", rules)]
    if picked is not None:
        policies.append(_Policy("with these picks", picked))
    try:
        return _added_up(decisions(data_dir, now_ms - MONTH_MS), rules, policies)
    except NoLedger:
        return None


def _added_up(
    past: Iterable[tuple[Decided, tuple[Kept, ...]]], rules: Rulebook, policies: list[_Policy]
) -> Traffic | None:
    paid, unknown = _Sum("as it was paid"), Counter[str]()
    whole = {tier: _Sum(f"all on {tier}") for tier in _open_tiers(rules)}
    requests, first_ms, last_ms = 0, 0, 0
    for request, kept in past:
        requests += 1
        first_ms, last_ms = first_ms or request.at_ms, request.at_ms
        spent = _spent(kept)
        decided = [policy.decide(request, spent) for policy in policies]
        if None in decided:
            unknown[next(policy.why for policy, found in zip(policies, decided, strict=True) if found is None)] += 1
            continue
        paid.add(request.tier or request.model, spent.pico)
        for policy, found in zip(policies, decided, strict=True):
            policy.sum.add(*found or ("", 0))
        for tier, total in whole.items():
            total.add(tier, _on(tier, request, spent, rules))
    if not requests:
        return None
    return Traffic(
        days=(last_ms - first_ms) / DAY_MS,
        requests=requests,
        counted=requests - unknown.total(),
        unknown=dict(unknown.most_common()),
        choices=tuple(one.done() for one in (paid, *(policy.sum for policy in policies), *whole.values())),
    )


def _on(tier: str, request: Decided, spent: Spent, rules: Rulebook) -> int:
    """What the same tokens cost there; retries count as they were where the model stays."""
    model = rules.ids[rules.policy.tiers[tier].model]
    if request.model == model:
        return spent.pico
    if not spent.answered:
        return 0
    return cost(spent.usage, model, rules.prices, request.at_ms).pico


def _open_tiers(rules: Rulebook) -> list[str]:
    return [tier for tier in rules.tier_order if not rules.policy.tiers[tier].only_by_name]


def _spent(kept: tuple[Kept, ...]) -> Spent:
    """The tokens of the answer, which is the last attempt that was billed; the cost of all of them."""
    billed = [row for row in kept if row.billed in ("settled", "estimated")]
    usage = Usage()
    if billed:
        last = billed[-1]
        usage = Usage(
            input_tokens=last.input_tokens,
            output_tokens=last.output_tokens,
            cache_read_tokens=last.cache_read_tokens,
            cache_write_5m_tokens=last.cache_write_5m_tokens,
            cache_write_1h_tokens=last.cache_write_1h_tokens,
        )
    return Spent(usage=usage, pico=sum(row.cost_pico for row in kept), answered=bool(billed))
