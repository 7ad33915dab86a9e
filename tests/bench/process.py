"""A server that the bench starts: pinned to a core, watched through /proc, always stopped.

Rule: only what the kernel counts is reported; where there is no /proc or no second core, the figure is None.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PROC = Path("/proc")
START_S = 30.0


def pin(pid: int, core: int) -> bool:
    """Keeps a process (0 is this one) on one core, where the machine has two and lets us."""
    if not hasattr(os, "sched_setaffinity") or (os.cpu_count() or 1) < 2:
        return False
    try:
        os.sched_setaffinity(pid, {core})
    except OSError:
        return False
    return True


class Server:
    """A running server and what it has cost so far, its child processes included."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def cpu_s(self) -> float | None:
        """User and system time since the start."""
        ticks = [_ticks(pid) for pid in _family(self.process.pid)]
        return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None

    def peak_mib(self) -> float | None:
        """The most memory that was ever resident."""
        peaks = [_peak_kib(pid) for pid in _family(self.process.pid)]
        return sum(peaks) / 1024 if peaks else None


@contextmanager
def running(
    command: Sequence[str], port: int, core: int, environment: Mapping[str, str], log: Path
) -> Iterator[Server]:
    """Starts a server on a core, waits until it accepts connections, and stops it at the end.

    It runs beside its log and without the developer's own settings: no real key can reach a bench.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TIERWISE_", "ANTHROPIC_"))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=log.parent,
            env={**inherited, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    pin(process.pid, core)
    try:
        _wait_until_listening(process, port, log)
        yield Server(process, port)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    said = log.read_text(errors="replace")[-2000:]
    raise SystemExit(f"bench: the server on port {port} did not start; it said:\n{said}")


def _family(pid: int) -> list[int]:
    """A process and everything below it."""
    parents = {}
    for entry in PROC.glob("[0-9]*/stat"):
        fields = _stat(entry)
        if fields:
            parents[int(entry.parent.name)] = int(fields[1])
    family = [pid] if pid in parents else []
    for one in family:  # grows while it is walked
        family += [child for child, parent in parents.items() if parent == one]
    return family


def _stat(path: Path) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state, parent, ..."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []  # it just ended


def _ticks(pid: int) -> int:
    fields = _stat(PROC / str(pid) / "stat")
    return int(fields[11]) + int(fields[12]) if fields else 0


def _peak_kib(pid: int) -> int:
    try:
        status = (PROC / str(pid) / "status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)
