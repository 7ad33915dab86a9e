"""Asks a running service over HTTP, for the verbs that show what it knows.

Rule: one request, one answer; what goes wrong is one clear line.
"""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from ..api.admin import FILE
from ..settings import Settings

TIMEOUT_S = 30


def address_of(url: str | None, settings: Settings) -> str:
    return url or f"http://{settings.host}:{settings.port}"


def admin_key(given: str | None, settings: Settings) -> str:
    """The one that was given or set, else the one that a service on this machine has left for its own user."""
    if given or settings.admin:
        return given or settings.admin or ""
    path = Path(settings.data_dir) / FILE
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        raise click.ClickException(
            f"no admin key: set TIERWISE_ADMIN_KEY, or run this where the service's {path} can be read"
        ) from None


def ask(address: str, method: str, path: str, key: str | None, body: bytes | None = None) -> bytes:
    """The answer's body. Raises ClickException, with the service's own words where it has some."""
    target = urlsplit(address)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.hostname or "127.0.0.1", target.port, timeout=TIMEOUT_S)
    headers = {"content-type": "application/json"} | ({"x-api-key": key} if key else {})
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        told = response.read()
    except OSError as error:
        raise click.ClickException(
            f"no service answers at {address} ({error}); start one with `tierwise serve`"
        ) from None
    finally:
        connection.close()
    if response.status != 200:
        raise click.ClickException(_words(told) or f"{address}{path} answered {response.status}")
    return told


def _words(told: bytes) -> str | None:
    try:
        return str(msgspec.json.decode(told)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
