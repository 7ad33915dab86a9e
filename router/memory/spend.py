"""What each budget's pots hold: spent, and held for requests under way.

Rule: synchronous and exact: what is held is settled once. Bounded: a window that is over is dropped, and past
the bound new keys of a window share one pot, so that no money is ever forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..decide.spend import Account, Standing

ACCOUNTS_MAX = 100_000
OTHERS = "(others)"


class Pot(msgspec.Struct):
    spent_pico: int = 0
    held_pico: int = 0


class Hold(msgspec.Struct):
    """Money set aside for one request."""

    pots: tuple[Pot, ...]
    pico: int
    settled: bool = False


class MemorySpend:
    """Of one process; implements affording.Purse."""

    def __init__(self, accounts_max: int = ACCOUNTS_MAX) -> None:
        self._pots: dict[Account, Pot] = {}
        self._latest: dict[str, int] = {}  # of each budget, the window that is on
        self._accounts_max = accounts_max

    def standings(self, accounts: Sequence[Account]) -> tuple[Standing, ...]:
        return tuple(self._standing(account) for account in accounts)

    def hold(self, accounts: Sequence[Account], pico: int) -> Hold:
        pots = tuple(self._pot(account) for account in accounts)
        for pot in pots:
            pot.held_pico += pico
        return Hold(pots, pico)

    def grow(self, hold: object, pico: int, limits: Sequence[int | None]) -> bool:
        """So much is held from now on, unless it would pass the limit of one of its pots."""
        assert isinstance(hold, Hold), "made by hold()"
        more = pico - hold.pico
        if more <= 0:
            return True
        pairs = zip(hold.pots, limits, strict=True)
        if any(limit is not None and pot.spent_pico + pot.held_pico + more > limit for pot, limit in pairs):
            return False
        for pot in hold.pots:
            pot.held_pico += more
        hold.pico = pico
        return True

    def settle(self, hold: object, pico: int) -> None:
        """What was held goes, what was spent comes. Once."""
        assert isinstance(hold, Hold), "made by hold()"
        assert not hold.settled, "a hold is settled once"
        hold.settled = True
        for pot in hold.pots:
            pot.held_pico -= hold.pico
            pot.spent_pico += pico

    def seed(self, account: Account, pico: int) -> None:
        """What the ledger says was spent before: at the start, or under a budget that is new."""
        pot = self._pot(account)
        pot.spent_pico = max(pot.spent_pico, pico)

    def _standing(self, account: Account) -> Standing:
        pot = self._pots.get(account) or self._pots.get(_others(account)) or Pot()
        return Standing(account, pot.spent_pico, pot.held_pico)

    def _pot(self, account: Account) -> Pot:
        pot = self._pots.get(account)
        if pot is None:
            self._turn(account)
            if len(self._pots) >= self._accounts_max:
                account = _others(account)
            pot = self._pots.setdefault(account, Pot())
        return pot

    def _turn(self, account: Account) -> None:
        """A new window of a budget: the old one's pots go, but for those that still hold something."""
        latest = self._latest.get(account.budget, -1)
        if account.window_ms <= latest:
            return
        self._latest[account.budget] = account.window_ms
        self._pots = {
            known: pot
            for known, pot in self._pots.items()
            if known.budget != account.budget or known.window_ms >= account.window_ms or pot.held_pico
        }


def _others(account: Account) -> Account:
    return Account(account.budget, OTHERS, account.window_ms)
