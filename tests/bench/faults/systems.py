"""Who is asked: the service and LiteLLM's proxy, each alone on a core, in front of a fresh stand-in.

Rule: both get the same deadlines and the same ladder, each in its own words; what is started here is stopped here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.process import Server, running
from tests.processes import free_port

from .questions import Question, messages_form, short_form
from .rival import configuration, environment, installed
from .scenarios import Load, Scenario

TIERWISE = str(Path(sys.executable).with_name("tierwise"))
SERVER_CORE = 0
LOAD_CORE = 1

# No classifier: the default places every request, and a request that goes well is one call.
POLICY = """\
version: 1
tiers:
  haiku: {{model: claude-haiku-5-5, siblings: [{siblings[0]}]}}
  sonnet: {{model: claude-sonnet-5-5, siblings: [{siblings[1]}]}}
  opus: {{model: claude-opus-5-5, siblings: [{siblings[2]}]}}
default: {{tier: haiku, task: general}}
tasks:
  general: {{description: Anything.}}
classifier: {{enabled: false}}
sticky: {{enabled: false}}
limits:
  deadline_s: {{interactive: {load.deadline_s}}}
  first_byte_s: {load.first_byte_s}
  whole_tokens: 0
fallbacks:
  attempts: {attempts}
  canned: "We could not answer just now. (Reference {{request_id}})"
  canned_on: [complete, messages]
replies: {{stale_s: {stale_s}}}
"""
SIBLINGS = ("claude-haiku-4-5", "claude-sonnet-5", "claude-opus-5")


@dataclass(frozen=True)
class System:
    """One who is asked, and how a question is put to it."""

    name: str
    start: Callable[[Scenario, Load, str, Path], tuple[list[str], int, dict[str, str]]]
    request: Callable[[Question, Load], tuple[str, bytes, str]]  # path, body, further headers


@dataclass(frozen=True)
class Running:
    """A system, ready, and the stand-in behind it."""

    server: Server
    standin: Server


@contextmanager
def under_faults(system: System, scenario: Scenario, load: Load) -> Iterator[Running]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tierwise-faults-")))
        port = free_port()
        command = [TIERWISE, "standin", "--port", str(port)]
        standin = stack.enter_context(running(command, port, LOAD_CORE, {}, folder / "standin.log"))
        command, port, variables = system.start(scenario, load, standin.url, folder)
        server = stack.enter_context(running(command, port, SERVER_CORE, variables, folder / "server.log"))
        yield Running(server, standin)


def tierwise(attempts: int = 3) -> System:
    """The service. More than three calls for one answer need more than three models: then with siblings."""

    def start(scenario: Scenario, load: Load, upstream: str, folder: Path) -> tuple[list[str], int, dict[str, str]]:
        port, path = free_port(), folder / "policy.yaml"
        path.write_text(policy(scenario, load, attempts), encoding="utf-8")
        variables = {
            "TIERWISE_PORT": str(port),
            "TIERWISE_DATA_DIR": str(folder / "data"),
            "TIERWISE_POLICY": str(path),
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": upstream,
        }
        return [TIERWISE, "serve"], port, variables

    return System("tierwise" if attempts == 3 else f"tierwise, attempts: {attempts}", start, _to_tierwise)


def policy(scenario: Scenario, load: Load, attempts: int) -> str:
    siblings = SIBLINGS if attempts > 3 else ("", "", "")
    stale_s = 3600 if scenario.keeps_replies else 0
    return POLICY.format(siblings=siblings, load=load, attempts=attempts, stale_s=stale_s)


def _to_tierwise(question: Question, load: Load) -> tuple[str, bytes, str]:
    """At /v1/messages a client has the API's ten minutes unless it says otherwise."""
    if question.door == "complete":
        return "/complete", short_form(question), ""
    return "/v1/messages", messages_form(question, "claude-auto"), f"x-router-deadline-s: {load.deadline_s}\r\n"


def litellm(name: str = "litellm") -> System:
    """LiteLLM's proxy, with one worker, as the service has one process; all through its /v1/messages."""

    def start(scenario: Scenario, load: Load, upstream: str, folder: Path) -> tuple[list[str], int, dict[str, str]]:
        port, path = free_port(), folder / "litellm.yaml"
        path.write_text(configuration(scenario, load, upstream), encoding="utf-8")
        options = ["--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        return [str(installed()), *options, "--telemetry", "False"], port, environment()

    return System(name, start, lambda question, _load: ("/v1/messages", messages_form(question, "haiku"), ""))
