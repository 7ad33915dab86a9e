"""Rows as bytes: what comes back, what is torn, what is damaged."""

from __future__ import annotations

import struct
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ledger.records import INTEGER_MAX, MARK, OUT_OF_RANGE, Record, latest, pack, storable, unpack
from router.vocabulary import LedgerRow
from tests.ledger.samples import ended, intent

ODD = "a\x00b \ud800 \x1b[31m \u2028 😀 '; DROP TABLE attempts; --"
anything = st.text(st.characters(exclude_categories=()), max_size=40)


def records(*rows: LedgerRow) -> list[bytes]:
    return [pack(row)[1] for row in rows]


@given(user=anything, feature=st.none() | anything, cost=st.integers(), worst=st.integers(0, INTEGER_MAX))
def test_whatever_a_row_holds_it_can_be_packed_and_comes_back_as_it_can_be_stored(
    user: str, feature: str | None, cost: int, worst: int
) -> None:
    row, record = pack(ended(1, user=user, feature=feature, cost_pico=cost, worst_pico=worst))
    assert ([row], 0) == unpack(record)
    assert worst == row.worst_pico


def test_a_row_that_any_database_takes_is_packed_as_the_very_same_row() -> None:
    row = ended(1, user="zoë 😀 \x00")
    assert pack(row)[0] is row


def test_half_a_surrogate_pair_is_written_as_its_escape() -> None:
    row, _ = pack(intent(1, user=ODD))
    assert ODD.replace("\ud800", "\\ud800") == row.user


def test_a_figure_that_no_database_takes_is_cut_and_the_row_says_so() -> None:
    row = storable(ended(1, cost_pico=2**70, input_tokens=-(2**70)))
    assert (INTEGER_MAX, -INTEGER_MAX, OUT_OF_RANGE) == (row.cost_pico, row.input_tokens, row.cost_note)


def test_a_row_of_megabytes_is_cut_down_to_what_a_record_may_hold() -> None:
    row, record = pack(intent(1, user="x" * 5_000_000, reason="é" * 300_000))
    assert ([row], 0) == unpack(record)
    assert ("x" * 256, "é" * 256) == (row.user, row.reason)


@pytest.mark.parametrize("last", [intent(3), ended(3, user="\x00" * 20)])
def test_at_every_truncation_of_the_last_record_the_others_come_back_and_nothing_is_damaged(last: LedgerRow) -> None:
    before = b"".join(records(intent(1), ended(1), intent(2)))
    record = pack(last)[1]
    for length in range(len(record)):
        assert ([intent(1), ended(1), intent(2)], 0) == unpack(before + record[:length])
    assert ([intent(1), ended(1), intent(2), last], 0) == unpack(before + record)


def test_one_flipped_bit_anywhere_costs_its_own_record_and_no_other() -> None:
    first, middle, last = records(intent(1), ended(1), intent(2))
    for at in range(len(middle)):
        broken = bytearray(middle)
        broken[at] ^= 1 << (at % 8)
        assert ([intent(1), intent(2)], len(middle)) == unpack(first + bytes(broken) + last)


def test_zeros_where_the_last_records_were_are_damage() -> None:
    first, second = records(intent(1), intent(2))
    assert ([intent(1)], len(second)) == unpack(first + bytes(len(second)))


@given(st.binary(max_size=400))
def test_garbage_between_records_never_hides_them(garbage: bytes) -> None:
    rows, damaged_bytes = unpack(pack(intent(1))[1] + garbage + pack(intent(2))[1])
    assert ([intent(1), intent(2)], len(garbage)) == (rows, damaged_bytes)


def test_no_text_can_look_like_the_start_of_a_record() -> None:
    """Or else a user's name inside a damaged record could pass for a row of its own."""
    with pytest.raises(UnicodeDecodeError):
        MARK.decode()
    forged = pack(ended(9, cost_pico=0))[1].decode("latin-1")
    assert ([intent(2)], True) == _after_damage(intent(1, user=forged))


def _after_damage(row: LedgerRow) -> tuple[list[Record], bool]:
    broken = bytearray(pack(row)[1])
    broken[8] ^= 1
    rows, damaged_bytes = unpack(bytes(broken) + pack(intent(2))[1])
    return rows, damaged_bytes == len(broken)


def test_a_whole_record_that_is_no_row_is_damage() -> None:
    payload = msgspec.msgpack.encode({"attempt_id": 1})
    record = struct.pack("<4sII", MARK, len(payload), zlib.crc32(payload)) + payload
    assert ([intent(2)], len(record)) == unpack(record + pack(intent(2))[1])


def test_of_one_attempt_the_end_counts_whatever_the_order() -> None:
    assert {"att_1": ended(1), "att_2": intent(2)} == latest([ended(1), intent(2), intent(1)])
    assert {"att_1": ended(1)} == latest([intent(1), ended(1)])
