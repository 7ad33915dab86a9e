"""The policy's files are watched as editors and clusters change them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from router.errors import RequestError
from router.steering.watching import watching

from ..worlds import ListEvents


def in_place(path: Path) -> None:
    path.write_text("changed")


def by_renaming(path: Path) -> None:
    """As an editor saves: a new file in the old one's place."""
    new = path.with_suffix(".tmp")
    new.write_text("changed")
    new.replace(path)


def as_a_mounted_volume(path: Path) -> None:
    """As a cluster changes a ConfigMap: the folder's link is moved."""
    (path.parent / "..data_new").mkdir()
    (path.parent / "..data_tmp").symlink_to("..data_new")
    (path.parent / "..data_tmp").replace(path.parent / "..data")


class Reloads:
    def __init__(self, *, wrong: bool = False) -> None:
        self.count = 0
        self.done = asyncio.Event()
        self._wrong = wrong

    async def __call__(self) -> None:
        self.count += 1
        self.done.set()
        if self._wrong:
            raise RequestError("router_policy", "wrong")


async def changed(path: Path, change: Callable[[Path], None], reloads: Reloads) -> None:
    """Changes it until the watch, which takes a moment to begin, has seen it."""
    while not reloads.done.is_set():
        change(path)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await reloads.done.wait()
        tidy(path.parent)


def tidy(folder: Path) -> None:
    """So that the same change can be made again."""
    (folder / "..data").unlink(missing_ok=True)
    if (folder / "..data_new").is_dir():
        (folder / "..data_new").rmdir()


@pytest.mark.parametrize("change", [in_place, by_renaming, as_a_mounted_volume])
@pytest.mark.anyio
async def test_a_change_is_seen(change: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("first")
    reloads = Reloads()
    watch = asyncio.ensure_future(watching(lambda: [str(path)], reloads, ListEvents()))
    await changed(path, change, reloads)
    watch.cancel()
    assert reloads.count >= 1


@pytest.mark.anyio
async def test_a_file_that_is_wrong_does_not_end_the_watch(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("first")
    reloads = Reloads(wrong=True)
    watch = asyncio.ensure_future(watching(lambda: [str(path)], reloads, ListEvents()))
    await changed(path, in_place, reloads)
    reloads.done.clear()
    await changed(path, by_renaming, reloads)
    watch.cancel()
    assert reloads.count >= 2
