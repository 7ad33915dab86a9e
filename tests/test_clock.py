"""The one place where time and chance come from."""

from router.clock import IDS_AT_ONCE, SystemClock


def test_new_names_never_repeat_and_carry_their_prefix() -> None:
    clock = SystemClock()
    names = [clock.new_id("req") for _ in range(3 * IDS_AT_ONCE)]
    assert len(set(names)) == len(names)
    assert {len(name) for name in names} == {len("req_") + 24}
    assert all(name.startswith("req_") for name in names)


def test_time_is_counted_in_whole_milliseconds_and_does_not_run_backwards() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert 1_700_000_000_000 < clock.now_ms() < 5_000_000_000_000


def test_the_dice_stay_below_one() -> None:
    clock = SystemClock()
    throws = [clock.dice() for _ in range(1000)]
    assert 0.0 <= min(throws) < max(throws) < 1.0
