"""Batches that are being made or are on their way: what must be known of them after a kill.

Rule: written before the batch is made, written again when it has a name, removed when all of it was taken in.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from router.vocabulary.noun import Noun

from .durable import private_folder, write_whole
from .ports import Halted


class Item(Noun, frozen=True, kw_only=True):
    """What must be known of an item when its result comes, maybe to another process."""

    key: str
    suite: str
    tier: str
    task: str
    model: str
    worst_pico: int


class Pending(Noun, frozen=True, kw_only=True):
    """A batch that is being made ("" is its name then) or is on its way."""

    name: str
    batch_id: str = ""
    at_ms: int
    items: tuple[Item, ...]

    @property
    def worst_pico(self) -> int:
        return sum(item.worst_pico for item in self.items)


class Folder:
    """Every batch that is not over, a file each."""

    def __init__(self, path: Path) -> None:
        self._path = private_folder(path)

    def all(self) -> list[Pending]:
        found = []
        for path in sorted(self._path.glob("*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Pending))
            except msgspec.MsgspecError as error:
                raise Halted(
                    f"{path}: a batch was on its way, and this note of it cannot be read ({error}); look it up in the"
                    " console of the API, then remove the file"
                ) from None
        return found

    def keep(self, pending: Pending) -> None:
        write_whole(self._path / f"{pending.name}.json", msgspec.json.encode(pending))

    def over(self, pending: Pending) -> None:
        (self._path / f"{pending.name}.json").unlink(missing_ok=True)
