"""Questions and answers as they were observed, by digests: what a threshold of likeness is fitted from.

Rule: like report.py it writes nothing, and what is still in the journal counts too.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..vocabulary import Observed
from .journal import FOLDER, segments
from .report import query

_DECODE = msgspec.msgpack.Decoder(Observed).decode
OBSERVED_MAX = 100_000  # the newest: about half a gigabyte of memory


def observations(data_dir: Path, since_ms: int = 0) -> list[Observed]:
    """Everything from then on, oldest first. Raises NoLedger."""
    # The journal first: what is moved to the store meanwhile is then seen twice, never missed.
    pending = [note for segment in segments(data_dir / FOLDER) for note in segment.notes]
    newer = [note for note in pending if isinstance(note, Observed) and note.at_ms >= since_ms]
    select = "SELECT data FROM ledger.observed WHERE at_ms >= ? ORDER BY at_ms DESC LIMIT ?"
    kept = [_DECODE(data) for (data,) in query(data_dir, select, (since_ms, OBSERVED_MAX))]
    by_id = {(note.at_ms, note.request_id): note for note in [*kept, *newer]}
    return [by_id[place] for place in sorted(by_id)]
