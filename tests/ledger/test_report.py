"""The sums: exact, complete while the service runs, and impossible to overflow."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.ledger.journal import FOLDER, Journal
from router.ledger.records import INTEGER_MAX, pack
from router.ledger.report import DIMENSIONS, NoLedger, rows, spending
from router.ledger.sqlite import FILE, MIGRATIONS, SqliteStore
from router.vocabulary import LedgerRow
from tests.ledger.samples import AT_MS, DAY_MS, ended, intent

BILLED = ("intent", "settled", "estimated", "void", "unknown")


def ledger(folder: Path, stored: list[LedgerRow], journaled: list[LedgerRow] | None = None) -> Path:
    """A data directory as a running service leaves it between two commits."""
    (folder / FOLDER).mkdir(exist_ok=True)
    store = SqliteStore(folder / FILE)
    store.open()
    store.put(stored)
    store.close()
    journal = Journal(folder / FOLDER)
    journal.open()
    for row in journaled or []:
        journal.append(pack(row)[1])
    journal.close()
    return folder


def test_calls_that_were_answered_are_counted_and_the_unknown_stand_apart(tmp_path: Path) -> None:
    stored = [
        ended(1, cost_pico=10),
        ended(2, cost_pico=20, billed="estimated"),
        ended(3, cost_pico=0, billed="void"),
        ended(4, cost_pico=4000, billed="unknown"),
        intent(5, worst_pico=50_000),
        ended(6, cost_pico=30, role="classifier", cost_note="no price was known"),
    ]
    total = spending(ledger(tmp_path, stored)).total
    assert (3, 60, 2, 1) == (total.attempts, total.cost_pico, total.estimated, total.void)
    assert (2, 1, 54_000, False) == (total.unknown, total.in_flight, total.unknown_pico, total.exact)
    assert (30, 15) == (total.tokens["input_tokens"], total.tokens["output_tokens"])


def test_a_ledger_of_settled_calls_only_is_exact(tmp_path: Path) -> None:
    assert spending(ledger(tmp_path, [ended(1), ended(2, billed="void")])).total.exact


def test_what_is_still_in_the_journal_counts_once(tmp_path: Path) -> None:
    stored = [ended(1), intent(2), ended(3), intent(4)]
    journaled = [intent(1), intent(2), ended(2), intent(3), ended(3), intent(5), ended(5)]
    found = rows(ledger(tmp_path, stored, journaled))
    assert [ended(1), ended(2), ended(3), intent(4), ended(5)] == found
    assert 4 == spending(tmp_path).total.attempts


def test_a_service_that_never_committed_has_its_journal_counted(tmp_path: Path) -> None:
    assert 1 == spending(ledger(tmp_path, [], [intent(1), ended(1)])).total.attempts


def test_each_dimension_groups_by_its_own(tmp_path: Path) -> None:
    first = ended(1, model="m1", feature="f1", user="u1", task="t1", tenant="a")
    second = ended(2, model="m2", feature=None, user="u2", task="t2", tenant="b", at_ms=AT_MS + DAY_MS)
    ledger(tmp_path, [first], [second])
    assert {
        "model": ["m1", "m2"],
        "feature": ["f1", None],
        "user": ["u1", "u2"],
        "task": ["t1", "t2"],
        "day": ["2026-11-18", "2026-11-19"],
        "tenant": ["a", "b"],
    } == {by: sorted(spending(tmp_path, by).groups, key=str, reverse=by == "feature")[:2] for by in DIMENSIONS}


def test_a_day_begins_at_midnight_utc_and_since_includes_its_moment(tmp_path: Path) -> None:
    midnight = AT_MS - AT_MS % DAY_MS
    ledger(tmp_path, [ended(1, at_ms=midnight - 1), ended(2, at_ms=midnight)])
    assert ["2026-11-17", "2026-11-18"] == sorted(map(str, spending(tmp_path, "day").groups))
    assert 102 == spending(tmp_path, since_ms=midnight).total.cost_pico


def test_names_that_differ_in_a_nul_only_are_two_groups(tmp_path: Path) -> None:
    ledger(tmp_path, [ended(1, user="a\x00b"), ended(2, user="a\x00c"), ended(3, user="a")])
    assert {"a\x00b": 101, "a\x00c": 102, "a": 103} == {
        user: sums.cost_pico for user, sums in spending(tmp_path, "user").groups.items()
    }


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(BILLED), st.integers(0, INTEGER_MAX), st.sampled_from("abc"), st.booleans(), st.booleans()
        ),
        max_size=40,
    )
)
def test_sums_are_exact_however_large_and_wherever_the_rows_are(parts: list[tuple[str, int, str, bool, bool]]) -> None:
    made = [
        ended(number, billed=billed, cost_pico=pico, worst_pico=pico, input_tokens=INTEGER_MAX, model=model)
        for number, (billed, pico, model, _, _) in enumerate(parts)
    ]
    stored = [row for row, (_, _, _, in_store, _) in zip(made, parts, strict=True) if in_store]
    journaled = [row for row, (*_, in_store, twice) in zip(made, parts, strict=True) if twice or not in_store]
    with TemporaryDirectory() as folder:
        found = spending(ledger(Path(folder), stored, journaled))
    known = [row.cost_pico for row in made if row.billed in ("settled", "estimated")]
    unknown = [row.cost_pico for row in made if row.billed in ("intent", "unknown")]
    assert (len(known), sum(known)) == (found.total.attempts, found.total.cost_pico)
    assert (len(unknown), sum(unknown)) == (found.total.unknown, found.total.unknown_pico)
    assert sum(known) == sum(group.cost_pico for group in found.groups.values())


def test_the_reading_side_cannot_write_and_leaves_the_ledger_to_its_owner(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / FILE)
    store.open()
    store.put([ended(1)])
    before = (tmp_path / FILE).read_bytes()
    assert [ended(1)] == rows(tmp_path)
    assert before == (tmp_path / FILE).read_bytes()
    store.put([ended(2)])
    assert [ended(1), ended(2)] == rows(tmp_path)
    store.close()


def test_without_a_ledger_the_complaint_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(NoLedger, match=f"no ledger in {tmp_path}"):
        spending(tmp_path)


@pytest.mark.parametrize("content", [b"not a database" * 500, b""])
def test_a_file_that_is_no_ledger_is_a_complaint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(NoLedger, match=r"ledger\.sqlite (cannot be read|has schema 0)"):
        spending(tmp_path)


def test_a_ledger_of_another_version_is_not_misread(tmp_path: Path) -> None:
    ledger(tmp_path, [ended(1)])
    apsw.Connection(str(tmp_path / FILE)).pragma("user_version", len(MIGRATIONS) + 1)
    with pytest.raises(NoLedger, match=f"has schema {len(MIGRATIONS) + 1}, this version reads {len(MIGRATIONS)}"):
        spending(tmp_path)
