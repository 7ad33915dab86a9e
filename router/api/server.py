"""Serving: uvicorn with the strict protocol, and a shutdown that lets open answers finish.

Rule: a shutdown is three steps: take nothing new, wait for what runs, then end the rest with a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator

import msgspec
import uvicorn
from litestar import Litestar

from ..relay import DRAINING
from .admission import Admission
from .door import Front
from .routes import FRONT
from .strict import Pace, strict_protocol

KEEP_ALIVE_S = 75
BACKLOG = 4096
# After the drain's limit: for the last events and the settlements, which take no waiting.
LAST_WORDS_S = 3.0
LOOK_S = 0.02


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, and how patient to be."""

    host: str
    port: int
    drain_s: float
    head_s: float
    body_bytes_per_s: int
    body_window_s: float = 10.0
    stalled_s: float = 60.0


class Server(uvicorn.Server):
    """uvicorn's server, with its signals and its shutdown as we need them."""

    def __init__(self, config: uvicorn.Config, admission: Admission, drain_s: float) -> None:
        super().__init__(config)
        self._admission = admission
        self._drain_s = drain_s
        self._stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The first signal drains, the second does not wait; neither is an error."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Drain; told a second time, do not wait."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._admission.draining = True
        self._stopping.set()

    async def main_loop(self) -> None:
        """Once a second the date that every response carries is set anew."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), timeout=1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._until_idle(self._drain_s, heed_force=True)
        for task in list(self.server_state.tasks):
            task.cancel(msg=DRAINING)
        await self._until_idle(LAST_WORDS_S, heed_force=False)
        await self.lifespan.shutdown()

    async def _until_idle(self, limit_s: float, *, heed_force: bool) -> None:
        """Until every answer is written and has left the process, but no longer than this."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + limit_s
        while self.server_state.tasks or self.server_state.connections:
            if loop.time() >= until_s or (heed_force and self.force_exit):
                return
            await asyncio.sleep(LOOK_S)


def server_of(app: Litestar, ground: Ground, admission: Admission) -> Server:
    """uvicorn with nothing of its own between the wire and the doors."""
    front: Front = app.state[FRONT]
    pace = Pace(
        clock=front.clock,
        events=front.events,
        head_s=ground.head_s,
        body_bytes_per_s=ground.body_bytes_per_s,
        body_window_s=ground.body_window_s,
        stalled_s=ground.stalled_s,
    )
    config = uvicorn.Config(
        app,
        http=strict_protocol(pace),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        proxy_headers=False,
    )
    return Server(config, admission, ground.drain_s)


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small writes at once (TCP_NODELAY) only where the protocol is named.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening
