"""Requests with a key in a database, as statements. The same for SQLite and Postgres.

Rule: whoever writes the row first runs the request; nobody else ever takes it over. A run that is dead leaves
`unknown` behind, and the answer of one that was only thought dead still counts.
"""

from __future__ import annotations

import msgspec

from ..vocabulary import Keyed, KeyedState
from .jobs_sql import LEASE_MS, Database, Row, Value

KEEP_MS = 24 * 3600 * 1000
KEYS_MAX = 1_000_000
MEASURED_EVERY = 500  # keys: to count the rows for each of them would cost more than the row
BYTES_MAX = 4 * 1024 * 1024 * 1024

_ROW = "tenant = :tenant AND key = :key"
_TOO_OLD = f"DELETE FROM idempotency WHERE {_ROW} AND at_ms < :now - :keep_ms RETURNING token"  # noqa: S608
_BEGIN = """
INSERT INTO idempotency (tenant, key, body, token, owner, state, at_ms, lease_until_ms, status, headers, answer, size)
SELECT :tenant, :key, :body, :token, :owner, 'running', :now, :now + :lease, 0, :empty, :empty, 0
WHERE :is_full = 0
ON CONFLICT (tenant, key) DO NOTHING
RETURNING token
"""
_DEAD = f"""
UPDATE idempotency SET state = 'unknown'
WHERE {_ROW} AND state = 'running' AND :shared = 1 AND lease_until_ms < :now RETURNING token
"""  # noqa: S608
_GET = f"""
SELECT tenant, key, body, token, owner, state, status, headers, answer FROM idempotency WHERE {_ROW}
"""  # noqa: S608
_FINISH = f"""
UPDATE idempotency SET state = :state, status = :status, headers = :headers, answer = :answer, size = :size
WHERE {_ROW} AND token = :token AND state <> 'done' RETURNING token
"""  # noqa: S608
_FORGET = f"DELETE FROM idempotency WHERE {_ROW} AND token = :token AND state <> 'done' RETURNING token"  # noqa: S608
_BEAT = """
UPDATE idempotency SET lease_until_ms = :now + :lease WHERE state = 'running' AND owner = :owner RETURNING token
"""
_MEASURE = "SELECT count(*), coalesce(sum(size), 0) FROM idempotency"
_SWEEP = "DELETE FROM idempotency WHERE at_ms < :now - :keep_ms RETURNING token"
_HEADERS = msgspec.json.Decoder(tuple[tuple[str, str], ...])


class StoredKeys:
    """Implements repeating.KeyStore."""

    def __init__(
        self, database: Database, *, keys_max: int = KEYS_MAX, bytes_max: int = BYTES_MAX, lease_ms: int = LEASE_MS
    ) -> None:
        self._database = database
        self._keys_max = keys_max
        self._bytes_max = bytes_max
        self._lease_ms = lease_ms
        self._is_full = False
        self._unmeasured = MEASURED_EVERY  # keys since the rows were last counted

    async def begin(self, mine: Keyed) -> Keyed | None:
        bound: dict[str, Value] = {
            **_name(mine),
            "is_full": int(await self._measured()),
            "body": mine.body,
            "owner": mine.owner,
            "lease": self._lease_ms,
            "keep_ms": KEEP_MS,
            "shared": int(self._database.shared),
            "empty": b"",
        }
        *_, rows = await self._database.run((_TOO_OLD, bound), (_BEGIN, bound), (_DEAD, bound), (_GET, bound))
        return _keyed(rows[0]) if rows else None

    async def _measured(self) -> bool:
        """Whether there is no room; a full store is counted for each key, so that it notices when it is not."""
        self._unmeasured += 1
        if self._is_full or self._unmeasured > MEASURED_EVERY:
            self._unmeasured = 0
            ((counted,),) = await self._database.run((_MEASURE, {}))
            self._is_full = counted[0] >= self._keys_max or counted[1] >= self._bytes_max
        return self._is_full

    async def finish(self, mine: Keyed) -> bool:
        ended: dict[str, Value] = {
            "state": mine.state.value,
            "status": mine.status,
            "headers": msgspec.json.encode(mine.headers),
            "answer": mine.answer,
            "size": len(mine.answer),
        }
        (rows,) = await self._database.run((_FINISH, {**_name(mine), **ended}))
        return bool(rows)

    async def forget(self, mine: Keyed) -> None:
        await self._database.run((_FORGET, _name(mine)))

    async def beat(self, owner: str) -> None:
        await self._database.run((_BEAT, {"owner": owner, "lease": self._lease_ms}))

    async def sweep(self) -> int:
        (rows,) = await self._database.run((_SWEEP, {"keep_ms": KEEP_MS}))
        return len(rows)


def _name(mine: Keyed) -> dict[str, Value]:
    return {"tenant": mine.tenant, "key": mine.key, "token": mine.token}


def _keyed(row: Row) -> Keyed:
    return Keyed(
        tenant=row[0],
        key=row[1],
        body=row[2],
        token=row[3],
        owner=row[4],
        state=KeyedState(row[5]),
        status=row[6],
        headers=_HEADERS.decode(row[7]) if row[7] else (),
        answer=row[8],
    )
