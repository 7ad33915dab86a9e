"""The real thing as child processes: `tierwise standin` and `tierwise serve` on free ports.

Rule: whatever is started here is ended here, by its own process id.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

ROOT = Path(__file__).parent.parent
START_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A verb of the command, running, with its address and its output."""

    def __init__(
        self,
        verb: str,
        *arguments: str,
        log: Path,
        environment: Mapping[str, str] | None = None,
        port: bool = True,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        listening = ["--port", str(self.port)] if port else []
        ours = ("TIERWISE_", "ANTHROPIC_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        with log.open("wb") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "router", verb, *listening, *arguments],
                cwd=log.parent,  # no .env of the checkout is read
                env={**inherited, "PYTHONPATH": str(ROOT), **(environment or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def wait_until_up(self, path: str) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if self.child.poll() is not None:
                break
            try:
                status, _ = self.get(path)
            except OSError:
                time.sleep(0.02)
                continue
            if status == 200:
                return
        raise AssertionError(f"it did not start:\n{self.log.read_text()}")

    def get(self, path: str) -> tuple[int, bytes]:
        return self.request("GET", path)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def post(self, path: str, fields: object) -> tuple[int, dict[str, object]]:
        status, body = self.request("POST", path, msgspec.json.encode(fields))
        return status, msgspec.json.decode(body)

    def stop(self, with_signal: int = signal.SIGTERM) -> int:
        """End it, if it has not ended by itself; its exit code."""
        if self.child.poll() is None:
            self.child.send_signal(with_signal)
        return self.child.wait(timeout=60)

    def wait(self) -> int:
        return self.child.wait(timeout=60)


@contextmanager
def standin(folder: Path, *arguments: str) -> Iterator[Process]:
    process = Process("standin", *arguments, log=folder / "standin.log")
    try:
        process.wait_until_up("/_standin/bill")
        yield process
    finally:
        process.stop()


@contextmanager
def service(folder: Path, upstream: str | None, **settings: str) -> Iterator[Process]:
    """`tierwise serve` in front of `upstream` (None: its own stand-in), with its data in `folder`."""
    environment = {"TIERWISE_DATA_DIR": str(folder / "data"), **settings}
    if upstream is not None:
        environment |= {"ANTHROPIC_BASE_URL": upstream, "ANTHROPIC_API_KEY": "test-key"}
    process = Process("serve", log=folder / "service.log", environment=environment)
    try:
        process.wait_until_up("/health/ready")
        yield process
    finally:
        process.stop()
