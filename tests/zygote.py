"""A process that has imported the service once and forks a fresh one whenever it is told to.

Killing the service 200 times is a test of its books, not of Python's import time. Protocol, one line
each: `PORT DATA_DIR UPSTREAM` on standard input starts a service; its process id comes back.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import router.cli.serve
from router.settings import load_settings


def serve(port: str, data_dir: str, upstream: str) -> None:
    """In the child: the service that `tierwise serve` would start."""
    os.environ |= {
        "TIERWISE_PORT": port,
        "TIERWISE_DATA_DIR": data_dir,
        "TIERWISE_LOG": "off",
        "ANTHROPIC_BASE_URL": upstream,
        "ANTHROPIC_API_KEY": "test-key",
    }
    os.chdir(Path(data_dir).parent)
    os._exit(router.cli.serve.run(load_settings()))


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the killed
    for line in sys.stdin:
        arguments = line.split()
        pid = os.fork()
        if pid == 0:
            sys.stdin.close()
            serve(*arguments)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
