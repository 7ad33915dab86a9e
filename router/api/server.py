"""Serving: uvicorn with the strict protocol, and a shutdown that lets open answers finish.

Rule: a shutdown is three steps: take nothing new, wait for what runs, then end the rest with a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator

import msgspec
import uvicorn
from litestar import Litestar

from ..relay import DRAINING
from .admission import Admission
from .strict import strict_protocol

KEEP_ALIVE_S = 75
BACKLOG = 4096
# After the drain's limit: for the last events and the settlements, which take no waiting.
LAST_WORDS_S = 3.0


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, and how patient to be."""

    host: str
    port: int
    drain_s: float
    head_s: float
    body_bytes_per_s: int


class Server(uvicorn.Server):
    """uvicorn's server, with its signals and its shutdown as we need them."""

    def __init__(self, config: uvicorn.Config, admission: Admission, drain_s: float) -> None:
        super().__init__(config)
        self._admission = admission
        self._drain_s = drain_s

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """The first signal drains, the second does not wait; neither is an error."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _signalled(self) -> None:
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
        self._admission.draining = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._admission.draining = True
        for server in self.servers:
            server.close()
        for listening in sockets or []:
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._until_idle()
        tasks = set(self.server_state.tasks)
        for task in tasks:
            task.cancel(msg=DRAINING)
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_WORDS_S)
        await self.lifespan.shutdown()

    async def _until_idle(self) -> None:
        until_s = asyncio.get_running_loop().time() + self._drain_s
        while (tasks := set(self.server_state.tasks)) and not self.force_exit:
            left_s = until_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                return
            # In short waits, so that a second signal is heeded.
            await asyncio.wait(tasks, timeout=min(0.1, left_s))


async def serve(app: Litestar, ground: Ground, admission: Admission, ready: Callable[[int], None]) -> None:
    """Serve until a signal, then drain. `ready` is told the port. Raises OSError when it cannot listen."""
    config = uvicorn.Config(
        app,
        http=strict_protocol(ground.head_s, ground.body_bytes_per_s),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        proxy_headers=False,
    )
    listening = _listen(ground.host, ground.port)
    server = Server(config, admission, ground.drain_s)
    ready(listening.getsockname()[1])
    await server.serve(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening
