"""What Python itself can refuse where the kernel cannot: the network, other processes, files outside.

Rule: the last door, for systems without seccomp or Landlock. It stops programs that mean no harm and those that do
not know it is there; it is no wall against one that does (docs/evals.md).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

NEVER = (
    "socket.connect", "socket.bind", "socket.send", "socket.get",
    "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile", "os.kill",
    "signal.pthread_kill", "pty.", "ctypes.", "webbrowser.", "sys.remote_exec",
)  # fmt: skip
CHANGES = frozenset(
    {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
     "os.utime", "os.chflags", "os.setxattr", "os.removexattr", "os.lockf", "sqlite3.connect"}
)  # fmt: skip
LOOKS = frozenset({"os.listdir", "os.scandir", "os.walk", "glob.glob", "os.chdir"})
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def enter(work: Path, readable: Iterable[Path]) -> None:
    """From here on, for good."""
    inside = os.path.realpath(work)
    open_to = (inside, *(os.path.realpath(path) for path in readable), os.devnull)

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(NEVER):
            raise PermissionError(f"{event} is not allowed here")
        if event == "open":
            _refuse_path(arguments[0], (inside, os.devnull) if _writes(arguments) else open_to)
        elif event in CHANGES:
            for path in arguments[:2]:
                _refuse_path(path, (inside,))
        elif event in LOOKS:
            _refuse_path(arguments[0], open_to)

    sys.addaudithook(refuse)


def _writes(arguments: tuple[object, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    by_mode = isinstance(mode, str) and bool(set(mode) & set("wax+"))
    return by_mode or (isinstance(flags, int) and bool(flags & WRITES))


def _refuse_path(path: object, allowed: Iterable[str]) -> None:
    """A number is a file that is open already; a link is followed before it is judged."""
    if not isinstance(path, str | bytes) or path == ":memory:":
        return
    real = os.path.realpath(os.fsdecode(path))
    if not any(real == one or real.startswith(one + os.sep) for one in allowed):
        raise PermissionError(f"{real} is outside the folder that this program may use")
