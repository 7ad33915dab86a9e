"""How the child hears its job and gives its answer: one JSON object each way.

Rule: after `open_channel` the program's own output goes nowhere; only `answer` reaches the parent.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from .confine import confine
from .limits import Limits


class Channel:
    """What it needs is held from the start: what runs later may have changed the modules."""

    def __init__(self, job: dict[str, Any], work: Path, handle: int) -> None:
        self.job = job
        self.work = work
        self.shut: list[str] = []
        self._token = job.pop("token")
        self._handle = handle
        self._dumps, self._write, self._exit = json.dumps, os.write, os._exit

    def answer(self, found: dict[str, Any]) -> None:
        """Says it, and ends the process at once, whatever threads or exit handlers there are."""
        body = self._dumps({"token": self._token, "shut": self.shut, **found}).encode()
        while body:
            body = body[self._write(self._handle, body) :]
        self._exit(0)


def open_channel() -> Channel:
    """Reads the job, leaves the parent's pipes to the answer alone, and shuts the doors."""
    job: dict[str, Any] = json.load(sys.stdin)
    handle = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    work = Path(job.pop("work"))
    channel = Channel(job, work, handle)
    try:
        channel.shut = confine(work, Limits(*job.pop("limits")), tuple(job.pop("without")))
    except Exception as error:  # noqa: BLE001  nobody would hear of it otherwise
        channel.answer({"broken": f"{type(error).__name__}: {error}"})
    return channel
