"""The command starts, says where it is, answers, and stops when told to; the package is light to import."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from router.cli.standin import standin

ROOT = Path(__file__).parents[2]


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_it_says_where_it_listens_answers_there_and_stops_on_sigterm() -> None:
    with python("from router.cli.standin import standin; standin()", "--port", "0") as child:
        assert child.stdout is not None
        url = child.stdout.readline().split(" on ")[1].split(" ")[0]
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.request("GET", "/_standin/bill")
        assert 200 == connection.getresponse().status
        connection.close()
        child.send_signal(signal.SIGTERM)
        assert 0 == child.wait()


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(standin, ["--port", str(port)])
    assert 1 == result.exit_code
    assert f"Error: cannot listen on 127.0.0.1:{port}" in result.output
    assert "--port 0" in result.output


def test_help_shows_an_example() -> None:
    assert "tierwise standin --port 8788" in CliRunner().invoke(standin, ["--help"]).output


def test_importing_it_loads_no_framework_and_no_client() -> None:
    code = "import sys, router.standin; print(sorted({'litestar', 'anthropic', 'pydantic'} & set(sys.modules)))"
    with python(code) as child:
        assert child.stdout is not None
        assert "[]" == child.stdout.read().strip()
