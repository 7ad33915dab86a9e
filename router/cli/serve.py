"""`tierwise serve`: the service, until it is told to stop.

Rule: options over settings, a banner, signals, and what runs beside the requests; the service is built in app/.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import uvloop

from ..api.server import Ground, listen, server_of
from ..app import Service, running_service
from ..errors import RequestError, StartError
from ..settings import Settings, load_settings

LOOK_S = 0.1
YOUNG_OBJECTS = 10_000


@click.command()
@click.option("--host", default=None, help="Address to listen on. TIERWISE_HOST, else 127.0.0.1.")
@click.option("--port", type=int, default=None, help="Port to listen on. TIERWISE_PORT, else 8787.")
@click.option("--policy", type=click.Path(path_type=Path), default=None, help="The policy. TIERWISE_POLICY.")
@click.option("--data-dir", type=click.Path(path_type=Path), default=None, help="The ledger: TIERWISE_DATA_DIR.")
def serve(**given: Any) -> None:
    """Serve /complete and /v1/messages.

    With no ANTHROPIC_API_KEY it answers from the bundled stand-in, and says so.

    \b
    Example: tierwise serve --port 8787
    """
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    sys.exit(run(settings))


def run(settings: Settings) -> int:
    """Serve until told to stop; the exit code. Raises StartError."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    write = sys.stdout.buffer.write if settings.log == "json" else None
    async with running_service(settings, write) as service:
        ground = Ground(
            host=settings.host,
            port=settings.port,
            drain_s=settings.drain_s,
            head_s=settings.head_timeout_s,
            body_bytes_per_s=settings.body_min_bytes_per_s,
        )
        # What was built so far lives as long as the process: a full collection that walked it again and
        # again would stop every request for a tenth of a second.
        gc.collect()
        gc.freeze()
        # A request leaves no cycles behind: looked for every 700 objects, they cost 4 % of it and were never there.
        gc.set_threshold(YOUNG_OBJECTS, 10, 10)
        beside = [asyncio.ensure_future(one) for one in (_flush_often(), *service.beside)]
        jobs_end = asyncio.ensure_future(_jobs_end(service, settings.drain_s))
        _reload_on_signal(service)
        try:
            await _until_told(service, ground, jobs_end, lambda port: _banner(settings, service, port))
        except OSError as error:
            raise StartError(
                f"TIERWISE_PORT: cannot listen on {settings.host}:{settings.port}: {error.strerror}"
            ) from None
        finally:
            for one in (jobs_end, *beside):
                one.cancel()
            await asyncio.gather(jobs_end, *beside, return_exceptions=True)
            sys.stdout.flush()


async def _until_told(
    service: Service, ground: Ground, jobs_end: asyncio.Task[None], ready: Callable[[int], None]
) -> None:
    """Serves until a signal, then until open answers and jobs have ended; a second signal does not wait."""
    listening = listen(ground.host, ground.port)
    server = server_of(service.app, ground, service.admission)
    ready(listening.getsockname()[1])
    await server.serve(sockets=[listening])
    service.events.say("drained", left_open=service.admission.in_flight)
    if not service.admission.draining or server.force_exit:
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, jobs_end.cancel)
    await asyncio.wait({jobs_end})


async def _jobs_end(service: Service, drain_s: float) -> None:
    """Until no job runs in a service that drains, but no longer than it may drain."""
    while not service.admission.draining:  # noqa: ASYNC110 - set by a signal, and nobody else waits for it
        await asyncio.sleep(LOOK_S)
    with suppress(TimeoutError):
        async with asyncio.timeout(drain_s):
            await service.deferring.idle()


async def _flush_often() -> None:
    """Log lines leave together, a few times a second: a write for each would cost more than the line."""
    while True:
        await asyncio.sleep(0.2)
        sys.stdout.flush()


def _reload_on_signal(service: Service) -> None:
    """SIGHUP loads the policy anew; a wrong one is told where all trouble is told."""

    async def reload() -> None:
        with suppress(RequestError):
            await service.helm.reload("signal")

    def on_signal() -> None:
        task = asyncio.ensure_future(reload())
        running.add(task)
        task.add_done_callback(running.discard)

    running: set[asyncio.Task[None]] = set()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_signal)


def _banner(settings: Settings, service: Service, port: int) -> None:
    """What a person sees first: where it is, what it asks, where the books are, and what to try."""
    url = f"http://{settings.host}:{port}"
    asks = service.upstream_url
    if settings.uses_standin:
        asks = f"the bundled stand-in at {asks} (no ANTHROPIC_API_KEY is set: nothing is real, nothing is billed)"
    tell = [
        f"Tierwise serves at {url}",
        f"  policy    {service.helm.current.source} ({service.helm.current.hash})",
        f"  asks      {asks}",
        f"  ledger    {settings.data_dir.resolve()}",
        *(f"  warning   {warning}" for warning in service.helm.current.warnings),
        "Try:",
        f'  curl -s {url}/complete -d \'{{"prompt":"What is the capital of France?"}}\'',
        f'  curl -N {url}/complete -d \'{{"prompt":"Explain B-trees","stream":true}}\'',
    ]
    sys.stderr.write("\n".join(tell) + "\n")
    sys.stderr.flush()
