"""`tierwise serve`: the service, until it is told to stop.

Rule: options over settings, a banner, and nothing else; the service is built in app.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..app import run
from ..settings import load_settings


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
