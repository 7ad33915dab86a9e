"""A process that forks services of books and kills them at any moment; run as `python -m tests.ledger.crashing`.

Arguments: the data directory, the number of rounds, a seed. One line of JSON goes out at the end: what the
killed were told was durable. It stands alone, with one thread, so that forking is cheap and safe.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from router.clock import SystemClock
from router.ledger.books import Books
from router.ledger.journal import FOLDER, Journal
from tests.ledger.samples import ended, intent

OPEN = 5  # attempts under way at any moment


def work(data_dir: Path, first: int, told: int) -> None:
    """Begin and end attempts as fast as it goes, and say so after each call that returned."""
    books = Books(
        data_dir, SystemClock(), journal=Journal(data_dir / FOLDER, segment_bytes=20_000), commit_every_s=0.01
    )
    books.start()
    number = first
    while True:
        books.intend(intent(number))
        os.write(told, f"i{number}\n".encode())
        if number - OPEN >= first:
            books.settle(ended(number - OPEN))
            os.write(told, f"s{number - OPEN}\n".encode())
        number += 1


def killed(data_dir: Path, first: int, wait_s: float) -> list[str]:
    """One service, killed after a while; what it had said by then."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        work(data_dir, first, write_end)
    os.close(write_end)
    said = drained(read_end, time.monotonic() + wait_s)
    os.kill(child, signal.SIGKILL)
    said += drained(read_end, time.monotonic() + 10)
    os.waitpid(child, 0)
    os.close(read_end)
    return said.decode().splitlines()


def drained(pipe: int, until_s: float) -> bytes:
    """Everything said until then, or until nobody is left to say anything."""
    said = b""
    while (left_s := until_s - time.monotonic()) > 0:
        if select.select([pipe], [], [], left_s)[0]:
            chunk = os.read(pipe, 65_536)
            if not chunk:
                break
            said += chunk
    return said


def main(data_dir: str, rounds: str, seed: str) -> None:
    dice = random.Random(int(seed))
    told: list[str] = []
    for number in range(int(rounds)):
        told += killed(Path(data_dir), number * 1_000_000, dice.choice([0.001, 0.01, 0.02, 0.05]) * dice.random() * 2)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
