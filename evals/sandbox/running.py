"""Starts the child, hands it its job, and hears its answer, within the limits and never longer.

Rule: this is the parent's side. Whatever the child does, the call comes back, and nothing of the child is left.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from router.vocabulary.noun import Noun

from .limits import Limits

ROOT = Path(__file__).resolve().parents[2]  # what holds the package `evals`
# Isolated (-I): no variables, no user's packages, not the current folder; -S: no installed packages either.
START = "import sys; sys.path.insert(0, sys.argv[1]); from evals.sandbox.{program} import main; main(sys.argv[1])"
ANSWER_BYTES_MAX = 8 * 1024 * 1024
OPEN = {
    "limits": "not every limit holds here (macOS has none of memory); use a container",
    "namespaces": "no disk of its own for a model's code here; what it writes is bounded by file only, until it ends",
    "landlock": "no Landlock here; files outside are kept from a model's code by Python alone: use a container",
    "seccomp": "no seccomp here; the network and other processes are kept from a model's code by Python alone: use a"
    " container without a network",
}
TOLD_BYTES_MAX = 4_000  # of what a broken start says


class SandboxBroken(Exception):
    """The child could not even begin, or answered with nonsense: no fault of what a model wrote."""


class Ran(Noun, frozen=True, kw_only=True):
    """What came of it: the child's answer, or why there is none."""

    found: Mapping[str, Any] = {}
    ended: str = ""  # why there is no answer, in words
    shut: tuple[str, ...] = ()  # the doors that were shut


class Sandbox:
    """Runs a few children at a time, so that each has a processor: else the busy look slow."""

    def __init__(
        self, at_once: int | None = None, *, without: tuple[str, ...] = (), within: Path | None = None
    ) -> None:
        """`within` is where each child gets a folder for its time; else where the system keeps such things."""
        self._slots = asyncio.Semaphore(at_once or os.cpu_count() or 1)
        self._without = without
        self._within = within

    async def run(self, program: str, job: Mapping[str, Any], limits: Limits) -> Ran:
        """`program` is a module of this package. Raises SandboxBroken."""
        async with self._slots:
            work = Path(tempfile.mkdtemp(prefix="tierwise-", dir=self._within))
            try:
                return await self._run(program, job, limits, work)
            finally:
                shutil.rmtree(work, ignore_errors=True)

    async def _run(self, program: str, job: Mapping[str, Any], limits: Limits, work: Path) -> Ran:
        token = uuid.uuid4().hex
        told = {**job, "token": token, "work": str(work), "limits": limits, "without": self._without}
        process = await _started(program, work)
        try:
            async with asyncio.timeout(limits.wall_s):
                body, said = await _heard(process, msgspec.json.encode(told))
        except TimeoutError:
            return Ran(ended=f"ran longer than {limits.wall_s:g} s")
        finally:
            await _ended(process)
        if len(body) > ANSWER_BYTES_MAX:
            return Ran(ended="wrote without end to where the answer goes")
        return _read(body, token) or _without_answer(process, said, limits)


async def _started(program: str, work: Path) -> asyncio.subprocess.Process:
    home = {"HOME": str(work), "TMPDIR": str(work), "LANG": "C.UTF-8", "TZ": "UTC"}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", START.format(program=program), str(ROOT),
        stdin=pipe, stdout=pipe, stderr=pipe, env=home, cwd=work, start_new_session=True,
    )  # fmt: skip


async def _heard(process: asyncio.subprocess.Process, job: bytes) -> tuple[bytes, bytes]:
    """All that it answers, and what it said aloud before its own output was sent nowhere."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(job)
        await process.stdin.drain()
    process.stdin.close()
    body = bytearray()
    while part := await process.stdout.read(65_536):
        body += part
        if len(body) > ANSWER_BYTES_MAX:
            break  # nothing that we asked for is so long
    said = await process.stderr.read(TOLD_BYTES_MAX) if not body else b""
    return bytes(body), said


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Ends the process and whatever stayed in its session, and empties its pipe: one that is full is never done."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.stdout is not None
    while await process.stdout.read(65_536):
        pass
    await process.wait()


def _read(body: bytes, token: str) -> Ran | None:
    """An answer that has the token is the child's own; anything else was written by what ran in it."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(answer, dict) or answer.pop("token", None) != token:
        return None
    if "broken" in answer:
        raise SandboxBroken(f"the sandbox cannot be shut: {answer['broken']}")
    return Ran(shut=tuple(answer.pop("shut", ())), found=answer)


def _without_answer(process: asyncio.subprocess.Process, said: bytes, limits: Limits) -> Ran:
    code = process.returncode
    if said:
        raise SandboxBroken(f"the sandbox did not start: {said.decode(errors='replace').strip().splitlines()[-1]}")
    if code is not None and code < 0:
        cpu = -code in (signal.SIGXCPU, signal.SIGKILL)
        took = f"took more than {limits.cpu_s} s of processor time" if cpu else f"crashed ({_signal(-code)})"
        return Ran(ended=took)
    return Ran(ended="ended the process before the tests were over")


def _signal(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


async def doors_of(sandbox: Sandbox | None = None) -> tuple[str, ...]:
    """What this system cannot keep from a model's code, in words; () when every door is shut."""
    job = {"entry": "probe.py", "source": "", "tests": ""}
    ran = await (sandbox or Sandbox(1)).run("code", job, Limits())
    return tuple(words for door, words in OPEN.items() if door not in ran.shut)
