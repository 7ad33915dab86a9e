"""What each budget's pots had spent before this process, or before the budget was there: from the ledger.

Rule: pure; who spent what comes in as rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ..decide.policy import Rulebook
from ..decide.spend import Account, accounts, window_start_ms
from ..vocabulary import Words

Caller = tuple[str, str | None, str | None, int]  # tenant, feature, user, pico-dollars


def seeds(rules: Rulebook, at_ms: int, spent_since: Callable[[int], Iterable[Caller]]) -> dict[Account, int]:
    """Every pot that something was spent from in the window that is on."""
    found: Counter[Account] = Counter()
    for window_ms in {window_start_ms(budget, at_ms) for budget in rules.policy.budgets.values()}:
        for tenant, feature, user, pico in spent_since(window_ms):
            pots = accounts(rules, tenant, Words(feature=feature, user=user), at_ms)
            found.update({pot: pico for pot in pots if pot.window_ms == window_ms})
    return dict(found)
