"""What the process may use up.

Rule: the standard library only; it is read on both sides of the wall.
"""

from __future__ import annotations

from typing import NamedTuple

MB = 1024 * 1024


class Limits(NamedTuple):
    cpu_s: int = 5  # processor time, of all its threads
    wall_s: float = 17.0  # by the clock
    memory_mb: int = 512
    file_mb: int = 8  # one file
    disk_mb: int = 32  # all files, where the kernel lets us give it a disk of its own
    open_files: int = 64


def limits_of(cpu_s: int, memory_mb: int = 512) -> Limits:
    """A busy machine may give a process a third of its time; one that sleeps gets no more either."""
    return Limits(cpu_s=cpu_s, wall_s=3.0 * cpu_s + 2.0, memory_mb=memory_mb)
