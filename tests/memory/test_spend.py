"""The pots of the budgets: exact while windows turn and keys overflow, and nothing is held for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.decide.spend import Account
from router.memory.spend import MemorySpend

HOUR_MS = 3_600_000
keys = st.sampled_from(["a", "b", "c", "d"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), keys, st.integers(0, 100)),
        st.tuples(st.just("settle"), st.integers(0, 20), st.integers(0, 100)),
        st.tuples(st.just("turn"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


def pot(key: str, hour: int = 0) -> Account:
    return Account("daily", key, hour * HOUR_MS)


def gone(spend: MemorySpend, account: Account) -> tuple[int, int]:
    (standing,) = spend.standings((account,))
    return standing.spent_pico, standing.held_pico


def test_a_hold_becomes_what_was_spent() -> None:
    spend = MemorySpend()
    held = spend.hold((pot("a"),), 100)
    assert (0, 100) == gone(spend, pot("a"))
    spend.settle(held, 30)
    assert (30, 0) == gone(spend, pot("a"))


def test_what_ends_in_the_next_window_is_spent_where_it_was_held() -> None:
    spend = MemorySpend()
    late = spend.hold((pot("a", 0),), 100)
    spend.settle(spend.hold((pot("a", 1),), 50), 5)
    spend.settle(late, 70)
    assert ((70, 0), (5, 0)) == (gone(spend, pot("a", 0)), gone(spend, pot("a", 1)))


def test_past_the_bound_new_keys_share_a_pot() -> None:
    spend = MemorySpend(accounts_max=2)
    for key in "abcd":
        spend.settle(spend.hold((pot(key),), 9), 1)
    assert [1, 1, 2, 2] == [gone(spend, pot(key))[0] for key in "abcd"]


def test_what_was_held_in_a_shared_pot_is_given_back_there_when_there_is_room_again() -> None:
    spend = MemorySpend(accounts_max=3)
    early = [spend.hold((pot(key),), 9) for key in "abc"]
    shared = spend.hold((pot("d"),), 9)
    for hold in early:
        spend.settle(hold, 1)
    spend.hold((pot("a", 1),), 9)
    spend.settle(shared, 1)
    assert (1, 0) == gone(spend, pot("d"))


def test_what_the_ledger_knows_never_takes_money_away() -> None:
    spend = MemorySpend()
    spend.settle(spend.hold((pot("a"),), 9), 9)
    spend.seed(pot("a"), 4)
    spend.seed(pot("b"), 4)
    assert (9, 4) == (gone(spend, pot("a"))[0], gone(spend, pot("b"))[0])


@given(steps, st.integers(1, 4))
def test_whatever_happens_a_pot_holds_what_is_under_way_and_never_less_than_nothing(
    steps: list[tuple[str, str | int, int]], accounts_max: int
) -> None:
    spend, hour = MemorySpend(accounts_max), 0
    under_way: list[tuple[Account, object]] = []
    for verb, what, pico in steps:
        if verb == "turn":
            hour += 1
        elif verb == "hold":
            account = pot(str(what), hour)
            under_way.append((account, spend.hold((account,), pico)))
        elif under_way:
            _, hold = under_way.pop(int(what) % len(under_way))
            spend.settle(hold, pico)
        assert all(gone(spend, pot(key, then))[1] >= 0 for key in "abcd" for then in range(hour + 1))
    for account, hold in under_way:
        spend.settle(hold, 0)
        assert gone(spend, account)[1] >= 0
    assert {0} == {gone(spend, pot(key, then))[1] for key in "abcd" for then in range(hour + 1)}
