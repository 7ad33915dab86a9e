"""What was decided and changed, and what each decision came to: the reading side, also while the service runs.

Rule: like report.py it writes nothing, and what is still in the journal counts too. Decisions are read as a
stream, so that a year of them needs no more memory than an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import apsw
import msgspec

from ..vocabulary import Audit, Decided, LedgerRow
from .journal import FOLDER, segments
from .records import INTENT, Note, latest
from .report import NoLedger, opened, query
from .sqlite import AUDIT_COLUMNS, COLUMNS

CHUNK = 2_000
CHECK = "check"  # the role of a call whose answer was only held against another
_COLUMNS = ", ".join(COLUMNS)
_DECODE = msgspec.msgpack.Decoder(Decided).decode


class Spent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An answer's attempt, as far as a replay looks at it. In the order of SPENT.

    What second opinions cost is in the cost of the last one: they were paid for the answer, and are none themselves.
    """

    model: str
    tier: str | None
    outcome: str
    billed: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cost_pico: int
    latency_ms: int


SPENT = Spent.__struct_fields__
_OF_REQUESTS = f"""
    SELECT request_id, attempt_id, at_ms, role, {", ".join(SPENT)} FROM ledger.attempts
    WHERE request_id IN (SELECT value FROM json_each(?)) AND role IN ('answer', '{CHECK}') AND billed <> '{INTENT}'
    ORDER BY at_ms
"""  # noqa: S608  our own column names
_Attempt = tuple[str, int, str, Spent]  # its id, when it began, and what it was for


def decision(data_dir: Path, request_id: str) -> tuple[Decided | None, list[LedgerRow]]:
    """The newest decision under that id, and every attempt of it, the classifier's too. Raises NoLedger."""
    select = f"SELECT {_COLUMNS} FROM attempts WHERE request_id = ? ORDER BY at_ms, number"  # noqa: S608  as above
    rows = [_row(found) for found in query(data_dir, select, (request_id,))]
    kept = query(data_dir, "SELECT data FROM ledger.decisions WHERE request_id = ? ORDER BY at_ms", (request_id,))
    found = [_DECODE(data) for (data,) in kept]
    found += [note for note in _pending(data_dir) if isinstance(note, Decided) and note.request_id == request_id]
    newest = max(found, key=lambda note: note.at_ms, default=None)
    return newest, rows


def decisions(data_dir: Path, since_ms: int = 0) -> Iterator[tuple[Decided, tuple[Spent, ...]]]:
    """Every decision from then on in the order of time, with what its answer's attempts came to. Raises NoLedger."""
    connection, rows = opened(data_dir)
    newer = sorted(
        (note for note in _pending(data_dir) if isinstance(note, Decided) and note.at_ms >= since_ms),
        key=lambda note: note.at_ms,
    )
    waiting = {(note.at_ms, note.request_id) for note in newer}
    pending = _by_request([row for row in rows if row.role in ("answer", CHECK) and row.billed != INTENT])
    select = "SELECT at_ms, request_id, data FROM ledger.decisions WHERE at_ms >= ? ORDER BY at_ms"
    kept = (_DECODE(row[2]) for row in connection.execute(select, (since_ms,)) if (row[0], row[1]) not in waiting)
    try:
        for source in (kept, iter(newer)):
            while chunk := list(islice(source, CHUNK)):
                yield from _joined(connection, chunk, pending)
    except apsw.Error as error:
        raise NoLedger(f"the ledger in {data_dir} cannot be read: {error}") from error


def count_decisions(data_dir: Path, since_ms: int = 0) -> int:
    """About how many `decisions` will yield: what is still in the journal is not counted. Raises NoLedger."""
    ((count,),) = query(data_dir, "SELECT count(*) FROM ledger.decisions WHERE at_ms >= ?", (since_ms,))
    return int(count)


def audits(data_dir: Path, since_ms: int = 0) -> list[Audit]:
    """Every change from then on, oldest first. Raises NoLedger."""
    select = f"SELECT {', '.join(AUDIT_COLUMNS)} FROM ledger.audit WHERE at_ms >= ?"  # noqa: S608  as above
    kept = [Audit(**dict(zip(AUDIT_COLUMNS, found, strict=True))) for found in query(data_dir, select, (since_ms,))]
    newer = [note for note in _pending(data_dir) if isinstance(note, Audit) and note.at_ms >= since_ms]
    by_id = {note.audit_id: note for note in [*kept, *newer]}
    return sorted(by_id.values(), key=lambda note: note.at_ms)


def most_used(data_dir: Path, since_ms: int = 0) -> dict[str, tuple[int, int]]:
    """By task: how many answers, and the longest in tokens. Raises NoLedger."""
    select = (
        "SELECT task, count(*), max(output_tokens) FROM attempts "
        "WHERE role = 'answer' AND billed = 'settled' AND at_ms >= ? AND task IS NOT NULL GROUP BY task"
    )
    return {task: (int(count), int(longest)) for task, count, longest in query(data_dir, select, (since_ms,))}


def spent_by_caller(data_dir: Path, since_ms: int) -> Iterator[tuple[str, str | None, str | None, int]]:
    """Tenant, feature, user, and what they spent from then on: unknown attempts at their bound. Raises NoLedger."""
    select = """SELECT tenant, feature, user, sum(cost_pico >> 32), sum(cost_pico & 4294967295) FROM attempts
        WHERE at_ms >= ? AND billed <> 'intent' GROUP BY 1, 2, 3"""
    for tenant, feature, user, high, low in query(data_dir, select, (since_ms,)):
        yield tenant, feature, user, (int(high) << 32) + int(low)


def _pending(data_dir: Path) -> list[Note]:
    return [note for segment in segments(data_dir / FOLDER) for note in segment.notes]


def _row(found: tuple[object, ...]) -> LedgerRow:
    return msgspec.convert(dict(zip(COLUMNS, found, strict=True)), LedgerRow)


def _joined(
    connection: apsw.Connection, chunk: list[Decided], pending: dict[str, list[_Attempt]]
) -> list[tuple[Decided, tuple[Spent, ...]]]:
    """Each decision with its attempts. Where an id was used again, an attempt is the last decision's before it."""
    found: dict[str, list[_Attempt]] = {}
    wanted = msgspec.json.encode([note.request_id for note in chunk]).decode()
    for row in connection.execute(_OF_REQUESTS, (wanted,)):
        found.setdefault(row[0], []).append((row[1], row[2], row[3], Spent(*row[4:])))
    joined = []
    for note in reversed(chunk):
        attempts = found.get(note.request_id, [])
        seen = {attempt[0] for attempt in attempts}
        attempts = attempts + [one for one in pending.get(note.request_id, []) if one[0] not in seen]
        own = [one for one in attempts if one[1] >= note.at_ms]
        found[note.request_id] = [one for one in attempts if one[1] < note.at_ms]
        joined.append((note, _answers(own)))
    joined.reverse()
    return joined


def _answers(attempts: list[_Attempt]) -> tuple[Spent, ...]:
    """With what it cost to hold them against others."""
    answers = [spent for _, _, role, spent in attempts if role != CHECK]
    checks_pico = sum(spent.cost_pico for _, _, role, spent in attempts if role == CHECK)
    if answers and checks_pico:
        last = answers[-1]
        answers[-1] = msgspec.structs.replace(last, cost_pico=last.cost_pico + checks_pico)
    return tuple(answers)


def _by_request(rows: list[LedgerRow]) -> dict[str, list[_Attempt]]:
    by_request: dict[str, list[_Attempt]] = {}
    for row in latest(rows).values():
        spent = Spent(*(getattr(row, name) for name in SPENT))
        by_request.setdefault(row.request_id, []).append((row.attempt_id, row.at_ms, row.role, spent))
    return by_request
