"""The policy's files, watched for changes.

Rule: folders are watched, not files: an editor saves by putting a new file in the old one's place, and a
cluster by moving a link. What cannot be watched is no reason to stop: a signal or /admin/reload still loads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from watchfiles import Change, awatch

from ..errors import RequestError
from ..ports import Events

SETTLE_MS = 200  # changes within this time are one
AGAIN_S = 5.0


async def watching(files: Callable[[], Iterable[str]], reload: Callable[[], Awaitable[object]], events: Events) -> None:
    """Runs beside the service: reloads when one of its policy's files changes."""
    while True:
        try:
            await _until_changed(frozenset(files()))
        except (OSError, RuntimeError) as error:
            events.say("watch", trouble=f"the policy's files cannot be watched: {error}")
            await asyncio.sleep(AGAIN_S)
            continue
        try:
            await reload()
        except RequestError:
            continue  # told already, where it was found


async def _until_changed(files: frozenset[str]) -> None:
    watch = awatch(*_folders(files), watch_filter=_ours(files), debounce=SETTLE_MS, step=50, recursive=False)
    try:
        await anext(watch)
    finally:
        await watch.aclose()


def _folders(files: frozenset[str]) -> set[Path]:
    return {folder for folder in (Path(name).absolute().parent for name in files) if folder.is_dir()}


def _ours(files: frozenset[str]) -> Callable[[Change, str], bool]:
    # A mounted ConfigMap changes by the link `..data`.
    names = {Path(name).name for name in files} | {"..data"}
    return lambda _change, path: Path(path).name in names
