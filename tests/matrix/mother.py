"""A process that has imported the service once and forks a fresh one, with settings of its own, whenever it is told.

Fifty rows of the matrix want fifty services; most of starting one is importing it. One JSON object a line comes in:
`{"log": path, "settings": {...}}` starts a service, and its process id comes back; `{"wait": id}` brings back how it
ended, below zero where a signal ended it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

import router.cli.serve
from router.settings import load_settings


def serve(log: str, settings: dict[str, str]) -> None:
    """In the child: the service that `tierwise serve` would start."""
    os.environ |= settings
    os.chdir(Path(log).parent)  # no .env of the checkout is read
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os._exit(router.cli.serve.run(load_settings()))


def forked(told: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        sys.stdin.close()
        serve(told["log"], told["settings"])
    return pid


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    for line in sys.stdin:
        told = msgspec.json.decode(line)
        said = ended(told["wait"]) if "wait" in told else forked(told)
        print(said, flush=True)


if __name__ == "__main__":
    main()
