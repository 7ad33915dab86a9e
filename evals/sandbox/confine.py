"""Shuts the doors, one after another, before anything that a model wrote is run.

Rule: a door that this system does not have is named, never passed over in silence; where the kernel has no lock,
Python's own (audit.py) takes its place.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from . import audit, kernel, landlock, namespaces, seccomp
from .limits import MB, Limits

# What the interpreter goes on reading besides its library: the system's shared ones, and the time zones.
READABLE = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo", "/etc/localtime",
            "/dev/urandom", "/dev/zero")  # fmt: skip
KERNEL_DOORS = ("namespaces", "landlock", "seccomp")


def confine(work: Path, limits: Limits, without: tuple[str, ...] = ()) -> list[str]:
    """Makes `work` the only place there is. Gives back which doors are shut.

    `without` leaves doors out: how it is on a system that has not got them.
    """
    readable = _readable()
    doors: tuple[tuple[str, Callable[[], None]], ...] = (
        ("namespaces", lambda: namespaces.enter(work, limits)),
        ("landlock", lambda: landlock.enter(work, readable)),
        ("seccomp", seccomp.enter),
    )
    shut = ["limits"] if _limited(limits) else []
    for name, door in doors:
        if name not in without and sys.platform == "linux" and _shuts(door):
            shut.append(name)
        os.chdir(work)  # again after each: a namespace lays a new disk over it
    if sys.platform == "linux":
        kernel.drop_privileges()
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)  # it does not outlive whoever started it
    if not {"landlock", "seccomp"} <= set(shut):
        audit.enter(work, readable)
        shut.append("audit")
    return shut


def _shuts(door: Callable[[], None]) -> bool:
    try:
        door()
    except OSError:
        return False
    return True


def _readable() -> tuple[Path, ...]:
    library = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    return tuple(Path(path) for path in (*sorted(library), *READABLE))


def _limited(limits: Limits) -> bool:
    """Sets every limit; whoever started us may have set a lower one."""
    held = True
    for what, most in (
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_AS, limits.memory_mb * MB),
        (resource.RLIMIT_FSIZE, limits.file_mb * MB),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (lower, lower))
        except (ValueError, OSError):  # macOS has no limit of memory
            held = False
    return held
