"""The documentation tells the truth: what it names exists, what exists is named, and the README's commands run.

Rule: nothing is checked against a copy; the Makefile, the settings and the command itself are asked.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import router
from router.cli.main import VERBS, main
from router.settings import Settings
from tests.house import source
from tests.processes import ROOT, Process, service

DOCS = tuple(path for path in source.files(ROOT) if path.suffix == ".md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
SDK_SETTINGS = frozenset({"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"})

EXAMPLES = frozenset(
    {"policies/mine.yaml", "policies/routes.yaml", "routes.yaml"}
)  # files that a reader is told to make
FILE = re.compile(
    r"`((?:router|tests|docs|policies|evals|\.ci)/(?:[\w./-]*\.\w+|[\w./-]*/|run)|[\w-]+\.(?:lock|toml|yaml)|Makefile|Dockerfile)`"
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SETTING = re.compile(r"\bTIERWISE_[A-Z][A-Z_]*[A-Z]\b")
TARGET = re.compile(r"(?:^|[`\s])make ([a-z-]+)(?=[`\s]|$)", re.MULTILINE)
VERB = re.compile(r"(?:^\s*|`|/)tierwise ([a-z]+)\b", re.MULTILINE)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def code(text: str) -> str:
    """Only what is written as code: in blocks or between backticks. Prose may say `make sure`."""
    blocks = [match[2] for match in BLOCK.finditer(text)]
    return "\n".join([*blocks, *(f"`{span}`" for span in re.findall(r"`([^`\n]+)`", BLOCK.sub("", text)))])


def named(pattern: re.Pattern[str], text: str) -> set[str]:
    return set(pattern.findall(text))


def documents() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", DOCS, ids=[str(path.relative_to(ROOT)) for path in DOCS])


@documents()
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set() == named(TARGET, code(path.read_text(encoding="utf-8"))) - targets


@documents()
def test_every_verb_that_is_named_exists(path: Path) -> None:
    assert set() == named(VERB, code(path.read_text(encoding="utf-8"))) - set(VERBS)


@documents()
def test_every_file_that_is_named_exists(path: Path) -> None:
    assert [] == [
        name
        for name in sorted(named(FILE, path.read_text(encoding="utf-8")) - EXAMPLES)
        if not (ROOT / name).exists() and not any(ROOT.glob(f"*/{name}"))
    ]


@documents()
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    links = (link for link in named(LINK, path.read_text(encoding="utf-8")) if not re.match(r"[a-z]+:", link))
    assert [] == [link for link in sorted(links) if not (path.parent / link.partition("#")[0]).exists()]


@documents()
def test_every_link_into_a_document_meets_a_heading(path: Path) -> None:
    links = (link for link in named(LINK, path.read_text(encoding="utf-8")) if ".md#" in link or link.startswith("#"))
    missing = []
    for link in sorted(links):
        file, _, anchor = link.partition("#")
        target = (path.parent / file) if file else path
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        if anchor not in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}:
            missing.append(link)
    assert [] == missing


def settings_of_the_service() -> dict[str, str]:
    """The settings as the environment knows them, and their defaults."""
    fields = {f"TIERWISE_{name.upper()}": field for name, field in Settings.model_fields.items() if name != "anthropic"}
    theirs = Settings.model_fields["anthropic"].annotation
    assert theirs is not None
    fields |= {f"ANTHROPIC_{name.upper()}": field for name, field in theirs.model_fields.items()}
    return {name: str(field.default) for name, field in fields.items()}


@documents()
def test_every_setting_that_is_named_exists(path: Path) -> None:
    assert set() == named(SETTING, path.read_text(encoding="utf-8")) - set(settings_of_the_service())


def test_every_setting_has_its_row_in_the_operations_guide_with_its_default() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", text, re.MULTILINE))
    settings = settings_of_the_service()
    assert set(settings) == set(rows)
    assert set(settings) >= SDK_SETTINGS
    plain = {name: value for name, value in rows.items() if re.fullmatch(r"`[^`/]+`", value)}
    assert {name: f"`{settings[name].removesuffix('.0')}`" for name in plain} == plain


def test_the_changelog_has_an_entry_for_this_version() -> None:
    entries = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert router.__version__ == entries[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The service as `make serve` starts it on a machine without a key: against its own stand-in."""
    with service(tmp_path_factory.mktemp("readme"), upstream=None) as process:
        yield process


def curls() -> list[str]:
    lines = [line.partition("  #")[0].strip() for match in BLOCK.finditer(README) for line in match[2].splitlines()]
    return [line for line in lines if line.startswith("curl ")]


def ask_as_curl_would(process: Process, command: str) -> tuple[int, bytes]:
    """Runs a curl command of the README against a service on another port. An unknown option is an error."""
    arguments = iter(shlex.split(command)[1:])
    url, data, headers = "", None, {"content-type": "application/x-www-form-urlencoded", "accept": "*/*"}
    for argument in arguments:
        if argument == "-d":
            data = next(arguments).encode()
        elif argument == "-H":
            name, _, value = next(arguments).partition(":")
            headers[name.strip().lower()] = value.strip()
        elif argument not in ("-s", "-N", "-sN"):
            assert not argument.startswith("-"), f"{argument}: say here what it means"
            url = argument
    place = url.removeprefix("http://")
    assert place.startswith("localhost:8787/")
    path = place.removeprefix("localhost:8787")
    return process.request("GET" if data is None else "POST", path, data, headers if data is not None else {})


@pytest.mark.parametrize("command", curls())
def test_a_curl_command_of_the_readme_runs(running: Process, command: str) -> None:
    status, body = ask_as_curl_would(running, command)
    assert 200 == status, body


def test_the_readme_shows_the_short_form_streaming_explain_and_health() -> None:
    """A README without commands would pass the test above."""
    text = " ".join(curls())
    assert [] == [part for part in ("/complete -d", '"stream":true', "/explain", "/health/ready") if part not in text]


def test_the_client_snippet_of_the_readme_runs(running: Process, capsys: pytest.CaptureFixture[str]) -> None:
    snippet = next(match[2] for match in BLOCK.finditer(README) if match[1] == "python")
    assert "http://localhost:8787" in snippet
    exec(compile(snippet.replace("http://localhost:8787", running.url), "README.md", "exec"), {})  # noqa: S102 our own text
    assert "claude-" in capsys.readouterr().out


@documents()
def test_every_python_snippet_is_python(path: Path) -> None:
    for match in BLOCK.finditer(path.read_text(encoding="utf-8")):
        if match[1] == "python":
            ast.parse(match[2])


def test_the_command_is_installed_and_every_verb_explains_itself_with_an_example() -> None:
    assert Path(sys.executable).with_name("tierwise").exists()
    context = click.Context(main)
    for verb in VERBS:
        command = main.get_command(context, verb)
        assert command is not None
        assert "Example" in (command.help or ""), verb
