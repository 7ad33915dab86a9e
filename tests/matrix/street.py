"""The service as a process of its own, behind it the stand-in or an API that a test scripts, byte by byte.

Rule: no test here. Nothing of the service is reached but its sockets, its books and its log; what is started here is
ended here, and when a service has ended its log and its books are searched for what must never be in them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from router.clock import SystemClock
from router.ledger.report import rows
from router.standin import Fault, running_standin
from router.standin.server import StandIn
from router.vocabulary import LedgerRow

from ..processes import ROOT, free_port
from ..upstream.rawserver import serving
from .api import Api
from .caller import SECRET, Told, get, post

KEY = "canary-of-the-services-own-key"
WAIT_S = 30.0
HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
# Each test has its own faults: what the service remembers of a model from one request to the next is off here, and
# on in the policies of those rows that are about it.
CALM: dict[str, Any] = {
    "tiers": {"haiku": {"model": HAIKU}, "sonnet": {"model": SONNET}, "opus": {"model": OPUS}},
    "default": {"tier": "sonnet", "task": "general"},
    "tasks": {
        "general": {"description": "Anything.", "max_tokens": 200},
        "canned": {
            "description": "Has the last word.",
            "max_tokens": 200,
            "canned": "Please try again. ({request_id})",
        },
        # Never fresh, and better than nothing for an hour.
        "kept": {"description": "Kept for bad days.", "max_tokens": 200, "keep": {"ttl_s": 0, "stale_s": 3600}},
    },
    "classifier": {"enabled": False},
    "fallbacks": {"backoff_ms": 1, "throttle_backoff_ms": 1},
    "limits": {"idle_timeout_s": 0.4, "first_byte_s": 0.8},
    "breaker": {"enabled": False},
    "pacing": {"enabled": False},
    "retries": {"burst": 100000},
}
# As a user would have it: only the words that a policy must have.
USUAL: dict[str, Any] = {name: CALM[name] for name in ("tiers", "default", "tasks", "classifier", "fallbacks")}


class Mother:
    """Forks services."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def told(self, said: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(said) + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def running_mother(folder: Path) -> Iterator[Mother]:
    ours = ("TIERWISE_", "ANTHROPIC_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    with (
        (folder / "mother.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.matrix.mother"],
            cwd=ROOT,
            env=inherited,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as process,
    ):
        try:
            yield Mother(process)
        finally:
            process.terminate()


class Front:
    """The service."""

    def __init__(self, mother: Mother, folder: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "service.log"
        self._mother, self._settings = mother, settings
        own = {"TIERWISE_PORT": str(self.port), "TIERWISE_DATA_DIR": str(self.data)}
        self.pid = mother.told({"log": str(self.log), "settings": {**settings, **own}})
        self._ended: int | None = None

    async def ask(self, path: str, fields: object, **headers: str) -> Told:
        return await post(self.port, path, fields, {name.replace("_", "-"): value for name, value in headers.items()})

    async def complete(self, fields: object, **headers: str) -> Told:
        return await self.ask("/complete", fields, **headers)

    async def messages(self, fields: object, **headers: str) -> Told:
        return await self.ask("/v1/messages", fields, **headers)

    async def standing(self, model: str) -> dict[str, Any]:
        """What /health/ready shows of a model."""
        found: dict[str, Any] = (await self.ready())["models"][model]
        return found

    async def ready(self) -> dict[str, Any]:
        return (await get(self.port, "/health/ready")).json

    async def inside(self, right: Callable[[int], bool]) -> None:
        """Until the number of requests under way is right."""
        async with asyncio.timeout(WAIT_S):
            while not right((await self.ready())["in_flight"]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def counter(self, name: str) -> int:
        """One counter of /metrics."""
        lines = (await get(self.port, "/metrics")).body.decode().splitlines()
        return next((int(line.split()[-1]) for line in lines if line.startswith(name)), 0)

    async def books(self, told: Told | str) -> list[LedgerRow]:
        """The rows of a request, in the order of its attempts, once all of them have an end."""
        request_id = told if isinstance(told, str) else told.request_id
        async with asyncio.timeout(WAIT_S):
            while True:
                found = [row for row in rows(self.data) if row.request_id == request_id]
                if found and all(row.billed != "intent" for row in found):
                    return sorted(found, key=lambda row: row.number)
                await asyncio.sleep(0.01)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What it has said of itself; all of it once it has ended."""
        told = [msgspec.json.decode(line) for line in self.log.read_bytes().splitlines() if line.startswith(b"{")]
        return [line for line in told if line["event"] == event]

    async def until_up(self) -> None:
        async with asyncio.timeout(WAIT_S):
            while not await self._is_up():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _is_up(self) -> bool:
        try:
            return (await get(self.port, "/health/ready")).status == 200
        except OSError:
            return False

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    async def ended(self) -> int:
        """How it ended, once it has."""
        if self._ended is None:
            self._ended = await asyncio.to_thread(self._mother.told, {"wait": self.pid})
        return self._ended

    @asynccontextmanager
    async def again(self) -> AsyncIterator[Front]:
        """Another process over the same data, once this one has ended."""
        front = Front(self._mother, self.folder, self._settings)
        try:
            await front.until_up()
            yield front
        finally:
            await front.stop()

    async def stop(self) -> None:
        if self._ended is None:
            self.kill(signal.SIGTERM)
        await self.ended()
        self.nothing_leaked()

    def nothing_leaked(self) -> None:
        """No prompt, no answer and no key is in the log or in the books. What must be found again is beside them."""
        kept = [path for path in self.data.rglob("*") if path.is_file() and not path.name.startswith("jobs.sqlite")]
        for path in (self.log, *kept):
            content = path.read_bytes()
            for secret in (SECRET, KEY):
                assert secret.encode() not in content, f"{secret} is in {path.name}"


@asynccontextmanager
async def opened(
    mother: Mother, folder: Path, upstream: str, policy: Mapping[str, Any], **settings: str
) -> AsyncIterator[Front]:
    """A service in front of `upstream`, under this policy, for as long as the block runs."""
    file = written(folder, policy)
    told = {"TIERWISE_POLICY": str(file), "TIERWISE_DRAIN_S": "1"}
    told |= {"ANTHROPIC_BASE_URL": upstream, "ANTHROPIC_API_KEY": KEY, **settings}
    front = Front(mother, folder, told)
    try:
        await front.until_up()
        yield front
    finally:
        await front.stop()


def written(folder: Path, policy: Mapping[str, Any]) -> Path:
    """The policy as a file. JSON is YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "policy.yaml"
    file.write_bytes(msgspec.json.encode(policy))
    return file


class Played(NamedTuple):
    """A service in front of the stand-in."""

    front: Front
    api: StandIn

    def models(self) -> list[str]:
        """Which models were asked, one after the other."""
        return [msgspec.json.decode(request.body)["model"] for request in self.api.seen.requests]


class Scripted(NamedTuple):
    """A service in front of an API that does what a test says."""

    front: Front
    api: Api


@asynccontextmanager
async def played(mother: Mother, folder: Path, policy: Mapping[str, Any], **settings: str) -> AsyncIterator[Played]:
    async with (
        running_standin(clock=SystemClock(), keep_requests=True) as api,
        opened(mother, folder, api.url, policy, **settings) as front,
    ):
        yield Played(front, api)


@asynccontextmanager
async def scripted(mother: Mother, folder: Path, policy: Mapping[str, Any], **settings: str) -> AsyncIterator[Scripted]:
    api = Api()
    async with (
        serving(api.play) as server,
        opened(mother, folder, server.url, policy, **settings) as front,
    ):
        yield Scripted(front, api)


def fault(kind: str, **fields: object) -> Fault:
    """What the stand-in is to do wrong."""
    return msgspec.convert({"kind": kind, **fields}, Fault)


def named(status: int, **fields: object) -> Fault:
    """An error in the API's own shape."""
    return fault("status", status=status, **fields)


def billed(books: Sequence[LedgerRow]) -> list[str]:
    return [row.billed for row in books]


def may_be_asked_again(told: Told) -> bool:
    """As the API's contract has it: whole seconds, at most a minute."""
    return 1 <= int(told.headers["retry-after"]) <= 60


def policy(**changed: Any) -> dict[str, Any]:
    """The calm policy, with parts of it changed, word by word."""
    return over(CALM, changed)


def over(under: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    return {**under, **{name: _laid(under.get(name), value) for name, value in changed.items()}}


def _laid(under: Any, value: Any) -> Any:
    return {**under, **value} if isinstance(under, dict) and isinstance(value, dict) else value
