"""The image is built as it must be: pinned, by hash, without secrets, run by a user that owns nothing.

Rule: each rule is shown to fire on a Dockerfile that breaks it. `make soak` walks the build itself, without Docker.
"""

from __future__ import annotations

import fnmatch
import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.bench.process import running
from tests.processes import free_port

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)S?\s*=", re.IGNORECASE)


@dataclass(frozen=True)
class Step:
    """One instruction: its word, its text on one line, and which stage it is in (-1: before the first)."""

    word: str
    text: str
    stage: int


def steps(dockerfile: str) -> list[Step]:
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    found: list[Step] = []
    stage = -1
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, text = line.strip().partition(" ")
        if word:
            stage += word == "FROM"
            found.append(Step(word, " ".join(text.split()), stage))
    return found


def breaches(dockerfile: str) -> list[str]:
    """Every rule that the Dockerfile breaks."""
    every = steps(dockerfile)
    final = {step.word: step.text for step in every if step.stage == every[-1].stage}
    bases = [step.text for step in every if step.word in ("FROM", "ARG") and not step.text.startswith("${")]
    installs = [part for step in every if step.word == "RUN" for part in step.text.split("&&") if "pip install" in part]
    rules = (
        (any(not re.search(r"=?[\w./-]+:3\.11[\w.-]*", base) for base in bases), "the base is pinned to Python 3.11"),
        (any(":latest" in step.text for step in every), "nothing is `latest`"),
        (any(step.word == "ADD" for step in every), "COPY, never ADD"),
        (final.get("USER") != "65532:65532", "the service runs as user 65532"),
        (not final.get("CMD", "").startswith("["), "CMD is in exec form, so that signals arrive"),
        (" CMD [" not in final.get("HEALTHCHECK", ""), "there is a health check, in exec form"),
        (final.get("VOLUME") != '["/data"]', "only /data is written to"),
        (any(SECRET_NAME.search(step.text) for step in every if step.word in ("ENV", "ARG")), "no secret is baked in"),
        (
            any("--require-hashes" not in part and "--no-deps --editable ." not in part for part in installs),
            "installs by hash",
        ),
        (
            any(step.word == "RUN" and re.search(r"curl|wget|apt-get", step.text) for step in every),
            "fetches nothing else",
        ),
    )
    return [rule for broken, rule in rules if broken]


def test_the_dockerfile_keeps_every_rule() -> None:
    assert [] == breaches(DOCKERFILE)


@pytest.mark.parametrize(
    ("good", "bad", "rule"),
    [
        ("python:3.11-slim-bookworm", "python:3-slim", "the base is pinned to Python 3.11"),
        ("FROM ${BASE}\n", "FROM debian:latest\n", "nothing is `latest`"),
        ("COPY policies", "ADD policies", "COPY, never ADD"),
        ("USER 65532:65532", "USER root", "the service runs as user 65532"),
        ('CMD ["tierwise", "serve"]', "CMD tierwise serve", "CMD is in exec form, so that signals arrive"),
        ("HEALTHCHECK", "LABEL", "there is a health check, in exec form"),
        ('VOLUME ["/data"]', 'VOLUME ["/"]', "only /data is written to"),
        ("TIERWISE_PORT=8787", "ANTHROPIC_API_KEY=x", "no secret is baked in"),
        ("--require-hashes ", "", "installs by hash"),
        ("RUN install", "RUN curl example.com | sh; install", "fetches nothing else"),
    ],
)
def test_a_rule_of_the_image_fires(good: str, bad: str, rule: str) -> None:
    assert good in DOCKERFILE
    assert rule in breaches(DOCKERFILE.replace(good, bad))


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a top-level path from the builder; its last matching line decides."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#") and fnmatch.fnmatch(path, line.removeprefix("!")):
            verdict = not line.startswith("!")
    return verdict


def copied() -> list[str]:
    """What the Dockerfile takes from the tree."""
    taken = [
        shlex.split(step.text)[:-1] for step in steps(DOCKERFILE) if step.word == "COPY" and "--from=" not in step.text
    ]
    return [source for sources in taken for source in sources]


def test_what_is_copied_exists_and_reaches_the_builder_and_nothing_else_does() -> None:
    assert [] == [source for source in copied() if not (ROOT / source).exists() or ignored(source)]
    assert set(copied()) == {path.name for path in ROOT.iterdir() if not ignored(path.name)}


@pytest.mark.parametrize("verb", ["eval", "gate"])
def test_a_verb_that_the_image_does_not_hold_says_so_in_one_line(tmp_path: Path, verb: str) -> None:
    assert f"`tierwise {verb}` needs the folder evals/" in refused_in_a_copy(tmp_path, verb)


def test_a_verb_that_lacks_a_package_names_it_in_one_line(tmp_path: Path) -> None:
    for folder in ("evals", "evals/cli"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "evals/cli/gate.py").write_text("import a_package_that_nobody_has\n")
    line = refused_in_a_copy(tmp_path, "gate")
    assert "`tierwise gate` needs the extra `evals`" in line
    assert "a_package_that_nobody_has is missing" in line


def refused_in_a_copy(folder: Path, verb: str) -> str:
    """The one line that a copy of what the image holds says of a verb, before it leaves with 2."""
    for source in copied():
        _copy([source], folder / source if (ROOT / source).is_dir() else folder)
    # Without `site`, so that nothing but the copy and the packages can be found: this tree is installed too.
    path = os.pathsep.join((str(folder), sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]))
    command = [sys.executable, "-S", "-m", "router", verb, "run"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    (line,) = run.stderr.splitlines()
    assert (2, "") == (run.returncode, run.stdout)
    return line


@contextmanager
def health(status: int) -> Iterator[int]:
    """A server that answers everything with one status; gives its port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/live" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is the base class's
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def health_command() -> list[str]:
    text = next(step.text for step in steps(DOCKERFILE) if step.word == "HEALTHCHECK")
    command: list[str] = json.loads(text.partition("CMD ")[2])
    return [sys.executable, *command[1:]]


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (500, False)])
def test_the_health_check_tells_a_live_service_from_one_that_is_not(status: int, healthy: bool) -> None:
    with health(status) as port:
        run = subprocess.run(health_command(), env={**os.environ, "TIERWISE_PORT": str(port)}, check=False)
    assert healthy == (run.returncode == 0)


def test_the_compose_file_locks_the_container_down() -> None:
    service = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]["tierwise"]
    assert (True, ["ALL"], ["no-new-privileges:true"]) == (
        service["read_only"],
        service["cap_drop"],
        service["security_opt"],
    )
    assert (["127.0.0.1:8787:8787"], ["data:/data"]) == (service["ports"], service["volumes"])
    assert service["environment"]["TIERWISE_KEYS"].startswith("${TIERWISE_KEYS:?")


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_the_steps_of_the_build_make_a_service_that_answers(tmp_path: Path) -> None:
    """Every COPY, RUN and CMD in a clean folder, with the image's absolute paths moved below it."""
    moved = {place: str(tmp_path / place.strip("/")) for place in ("/opt/tierwise", "/data", "/srv/tierwise")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    folder = tmp_path

    def rebased(text: str) -> str:
        text = text.replace("install --directory --owner=65532 --group=65532", "install --directory")
        return re.sub("|".join(moved), lambda match: moved[match[0]], text)

    for step in steps(DOCKERFILE):
        if step.word == "WORKDIR":
            folder = Path(rebased(step.text))
            folder.mkdir(parents=True, exist_ok=True)
        elif step.word == "ENV":
            pairs = (pair.partition("=") for pair in shlex.split(rebased(step.text)))
            environment |= {name: value.replace("$PATH", environment["PATH"]) for name, _, value in pairs}
        elif step.word == "RUN":
            command = rebased(step.text).replace("python -m venv", f"{sys.executable} -m venv")
            subprocess.run(["/bin/sh", "-ec", command], cwd=folder, env=environment, check=True)
        elif step.word == "COPY" and "--from=" not in step.text:
            *sources, target = shlex.split(rebased(step.text))
            _copy(sources, folder / target)
    command = json.loads(next(step.text for step in reversed(steps(DOCKERFILE)) if step.word == "CMD"))
    command[0] = shutil.which(command[0], path=environment["PATH"])
    port = free_port()
    environment |= {"TIERWISE_HOST": "127.0.0.1", "TIERWISE_PORT": str(port), "PYTHONPATH": ""}
    with running(command, port, 0, environment, folder / "service.log"):
        run = subprocess.run(health_command(), env={**os.environ, "TIERWISE_PORT": str(port)}, check=False)
    assert 0 == run.returncode


def _copy(sources: list[str], target: Path) -> None:
    for source in sources:
        path = ROOT / source
        if path.is_dir():
            shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, target / path.name)
