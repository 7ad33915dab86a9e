"""Runs, kept and found again.

Rule: a run is written whole; one that cannot be read says so by its path, and is never taken for an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from router.errors import TierwiseError

from .durable import private_folder, write_whole
from .fresh import Fresh
from .places import Places
from .vocabulary import Run

LATEST = "latest"
SHOWN_MAX = 5
Kept = TypeVar("Kept")
_decode = msgspec.json.Decoder(Run).decode


class NoRun(TierwiseError):
    """There is no such run, or it cannot be read."""


def keep(data_dir: Path, run: Run) -> Path:
    """Where it was written. A finished run ends what `--fresh` began."""
    private_folder(Places(data_dir=data_dir).runs)
    path = _path(data_dir, run.run_id)
    write_whole(path, msgspec.json.encode(run))
    if run.finished:
        fresh = Fresh(Places(data_dir=data_dir, rehearsed=run.rehearsed).fresh)
        fresh.finish(run.tried)
    return path


def load(data_dir: Path, run_id: str = LATEST) -> Run:
    """Raises NoRun. `latest` is the newest with verdicts, rehearsals included; any other may be cut short, as long as
    only one begins so."""
    if run_id in _ids(data_dir):  # whatever else lies there, and be it torn
        return _read(_path(data_dir, run_id), _decode)
    heads = _heads(data_dir)
    if run_id == LATEST:
        wanted = [head.run_id for head in heads if head.findings][:1]
    else:
        wanted = [head.run_id for head in heads if head.run_id.startswith(run_id or "-")]
    if len(wanted) != 1:
        raise NoRun(_missing(Places(data_dir=data_dir).runs, run_id, wanted, heads))
    return _read(_path(data_dir, wanted[0]), _decode)


def latest_verdict(data_dir: Path, *, rehearsed: bool = False) -> Run:
    """The newest run that came to its end with verdicts: what is picked from, and held against. Raises NoRun."""
    for head in _heads(data_dir):
        if head.finished and head.findings and head.rehearsed == rehearsed:
            return _read(_path(data_dir, head.run_id), _decode)
    kind = "finished rehearsal" if rehearsed else "run that came to its end"
    raise NoRun(f"there is no {kind} in {Places(data_dir=data_dir).runs}; make one with `tierwise eval run`")


def all_runs(data_dir: Path) -> tuple[Run, ...]:
    """The newest first. Raises NoRun for one that cannot be read."""
    return tuple(_read(_path(data_dir, head.run_id), _decode) for head in _heads(data_dir))


class _Head(msgspec.Struct):
    """What is read of every run; its answers, which are much, only of the one that is wanted."""

    run_id: str
    at_ms: int
    rehearsed: bool = False
    finished: bool = False
    findings: list[msgspec.Raw] = []


_decode_head = msgspec.json.Decoder(_Head).decode


def _heads(data_dir: Path) -> list[_Head]:
    """The newest first. Raises NoRun."""
    heads = [_read(_path(data_dir, name), _decode_head) for name in _ids(data_dir)]
    return sorted(heads, key=lambda head: (head.at_ms, head.run_id), reverse=True)


def _ids(data_dir: Path) -> list[str]:
    return [path.stem for path in Places(data_dir=data_dir).runs.glob("*.json")]


def _missing(folder: Path, run_id: str, several: Sequence[str], heads: Sequence[_Head]) -> str:
    if several:
        return f"several runs begin with {run_id}: {', '.join(several[:SHOWN_MAX])}; say more of it"
    if run_id == LATEST:
        return f"no run with verdicts is kept in {folder}; make one with `tierwise eval run`"
    known = ", ".join(head.run_id for head in heads[:SHOWN_MAX]) or "none"
    return f"there is no run {run_id}; the newest of {folder} are: {known}"


def _path(data_dir: Path, run_id: str) -> Path:
    return Places(data_dir=data_dir).runs / f"{run_id}.json"


def _read(path: Path, decode: Callable[[bytes], Kept]) -> Kept:
    try:
        return decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise NoRun(f"{path}: cannot be read as a run: {error}; move it away, or run again") from None
