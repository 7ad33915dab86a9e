"""`tierwise standin`: a local stand-in for the Messages API, for tests and demos.

Rule: it only reads its options, says where it listens and waits to be stopped.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable

import click

from ..clock import SystemClock
from ..standin import Limits, Pace, StandIn
from ..standin.limits import PLENTY

try:
    from uvloop import new_event_loop as fast_loop
except ImportError:  # uvloop is not made for Windows
    fast_loop = None  # type: ignore[assignment]

LoopFactory = Callable[[], asyncio.AbstractEventLoop] | None


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8788, show_default=True, help="Port to listen on; 0 finds a free one.")
@click.option("--keep-requests", is_flag=True, help="Keep the newest 100 requests whole, for GET /_standin/seen.")
@click.option("--latency-ms", default=0, show_default=True, help="Wait so long before every answer.")
@click.option("--deltas", default=None, type=click.IntRange(min=1), help="Pieces of text in a stream.")
@click.option("--delta-interval-ms", default=0, show_default=True, help="Wait so long before every piece.")
@click.option("--requests-per-minute", default=PLENTY, help="Rate limit of each key and model family.")
def standin(requests_per_minute: int, host: str, port: int, keep_requests: bool, **pace: int) -> None:
    """Answer like the Messages API, from this machine, for nothing.

    It keeps the rules, caches, limits and bill of the real one; faults are injected on request.
    docs/standin.md tells more. Any key is accepted.

    \b
    Example:
      tierwise standin --port 8788 --latency-ms 20
      ANTHROPIC_BASE_URL=http://127.0.0.1:8788 ANTHROPIC_API_KEY=any python your_program.py
    """
    stand_in = StandIn(
        clock=SystemClock(),
        limits=Limits(requests=requests_per_minute),
        keep_requests=keep_requests,
        pace=Pace(
            latency_s=pace["latency_ms"] / 1000,
            deltas=pace["deltas"],
            delta_interval_s=pace["delta_interval_ms"] / 1000,
        ),
    )
    with asyncio.Runner(loop_factory=fast_loop) as runner:
        try:
            runner.run(_serve(stand_in, host, port))
        except OSError as error:
            raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}; try --port 0") from error


async def _serve(stand_in: StandIn, host: str, port: int) -> None:
    stopped = asyncio.Event()
    if sys.platform != "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stand_in.start(host, port)
    click.echo(
        f"stand-in for the Messages API on {stand_in.url}"
        f" (set ANTHROPIC_BASE_URL={stand_in.url}; any key will do; stop with Ctrl-C)"
    )
    sys.stdout.flush()
    await stopped.wait()
    await stand_in.stop()
