"""Real servers of other makers as child processes, on free ports of the loopback, with nothing kept on the disk.

Rule: whatever is started here is ended here, by its own process id.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import free_port
from tests.programs import needed

START_S = 30.0


@contextmanager
def running_redis(port: int = 0) -> Iterator[str]:
    """A Redis of its own, on a free port or on one where another was ended; its address."""
    program = needed("redis-server", "redis-server")
    port = port or free_port()
    options = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--loglevel", "warning")
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as child:
        try:
            _wait_for_port(child, port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            child.kill()


def _wait_for_port(child: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert child.poll() is None, "the server ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"nobody listens on port {port}")


@contextmanager
def running_postgres() -> Iterator[str]:
    """A Postgres of its own, on a socket in a folder that only it and root may enter; its address."""
    programs = _postgres()
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    account = pwd.getpwnam(user)
    folder = Path(tempfile.mkdtemp(prefix="tierwise-postgres-"))
    if os.geteuid() == 0:  # which initdb and postgres refuse to be run by
        os.chown(folder, account.pw_uid, account.pw_gid)
    data, log = folder / "data", folder / "log"
    as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    settings = ("fsync=off", "shared_buffers=32MB", "listen_addresses=", f"unix_socket_directories={folder}")
    options = [part for setting in settings for part in ("-c", setting)]
    try:
        making = [programs / "initdb", "-D", data, "-U", user, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(making, check=True, capture_output=True, cwd=folder, **as_user)  # type: ignore[call-overload]
        with (
            log.open("wb") as output,
            subprocess.Popen(  # type: ignore[call-overload]
                [programs / "postgres", "-D", data, *options], stdout=output, stderr=output, cwd=folder, **as_user
            ) as child,
        ):
            try:
                _wait_for_ready(child, log)
                yield f"postgresql:///postgres?host={folder}&user={user}"
            finally:
                child.send_signal(signal.SIGINT)  # ends every connection
                child.wait(timeout=START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgres() -> Path:
    """The folder of its programs, which many systems keep off the path."""
    return Path(needed("postgres", "postgresql", "usr/lib/postgresql/*/bin/postgres")).parent


def _wait_for_ready(child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert child.poll() is None, f"the server ended at once:\n{log.read_text()}"
        if "ready to accept connections" in log.read_text():
            return
        time.sleep(0.02)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")
