"""What is measured: each leg names a server, what runs behind it, and the one request it is asked again and again.

Rule: every leg gets a fresh server on core 0 and, where it needs one, a fresh stand-in on core 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.load import Target
from tests.bench.process import Server, running
from tests.processes import free_port

TIERWISE = str(Path(sys.executable).with_name("tierwise"))
SERVER_CORE = 0
LOAD_CORE = 1
DELTAS = 100


@dataclass(frozen=True)
class Leg:
    """One row of the table."""

    name: str
    what: str
    server: str  # service | standin | the name of a baseline
    model: str = "claude-sonnet-5-5"
    stream: bool = False

    @property
    def body(self) -> str:
        body: dict[str, object] = {
            "model": self.model,
            "max_tokens": 256,
            "messages": [{"role": "user", "content": "Explain in three sentences how a B-tree splits a full node."}],
        }
        return json.dumps(body | ({"stream": True} if self.stream else {}))


LEGS = (
    Leg("plain", "the service forwards to a named model", "service"),
    Leg("routed", "the service routes; the verdict is remembered", "service", model="claude-auto"),
    Leg("streamed", f"the service passes on a stream of {DELTAS} deltas", "service", stream=True),
    Leg("echo", "a bare Litestar handler answers at once", "echo"),
    Leg("sdk", "a bare Litestar handler calls messages.create", "typed"),
    Leg("sdk_aiohttp", "the same over DefaultAioHttpClient", "typed_aiohttp"),
    Leg("standin", "the stand-in itself", "standin"),
)


@contextmanager
def under_load(leg: Leg) -> Iterator[tuple[Server, Target]]:
    """The leg's server, ready, and what to ask it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tierwise-bench-")))
        upstream = None
        if leg.server not in ("standin", "echo"):
            upstream = stack.enter_context(_standin(leg, LOAD_CORE, folder)).url
        server = stack.enter_context(_server(leg, upstream, folder))
        yield server, Target(f"{server.url}/v1/messages", leg.body)


@contextmanager
def _server(leg: Leg, upstream: str | None, folder: Path) -> Iterator[Server]:
    if leg.server == "standin":
        with _standin(leg, SERVER_CORE, folder) as server:
            yield server
        return
    port = free_port()
    command = [TIERWISE, "serve"] if leg.server == "service" else _baseline(leg.server, port)
    environment = {
        "TIERWISE_PORT": str(port),
        "TIERWISE_DATA_DIR": str(folder / "data"),
        "ANTHROPIC_API_KEY": "bench",
        "ANTHROPIC_BASE_URL": upstream or "",
        "BENCH_UPSTREAM": upstream or "",
    }
    with running(command, port, SERVER_CORE, environment, folder / "server.log") as server:
        yield server


@contextmanager
def _standin(leg: Leg, core: int, folder: Path) -> Iterator[Server]:
    port = free_port()
    command = [TIERWISE, "standin", "--port", str(port)]
    command += ["--deltas", str(DELTAS)] if leg.stream else []
    with running(command, port, core, {}, folder / "standin.log") as server:
        yield server


def _baseline(name: str, port: int) -> list[str]:
    """A baseline under the server and the settings that the service itself runs with."""
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    return [
        sys.executable,
        "-m",
        "uvicorn",
        f"tests.bench.baselines:{name}",
        "--factory",
        "--port",
        str(port),
        *options,
    ]
