"""The house holds: who imports what, how big things get, and what never stands in the tree.

Rule: each rule is also shown to fire, on a small bad sample; a rule that cannot complain proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.house import imports, limits, source

ROOT = Path(__file__).parent.parent

# Assembled from pieces, so that this file does not hold what it looks for.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("py" + "pi", "org"),
        ("python" + "hosted", "org"),
        ("registry", "npm" + "js", "org"),
        ("registry", "yarn" + "pkg", "com"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("proxy", "golang", "org"),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.:~-])/(?:root|work|Users|home/[a-z]+|opt/wheels)/\w")
SECRET = re.compile(
    r"sk-ant-(?:api|admin|oat)\d\d-[\w-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}\b"
)


def complaints_of_sample(root: Path, sample: Mapping[str, str]) -> list[str]:
    for path, text in sample.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    found = imports.complaints(source.modules(root, "router", "evals"))
    found += limits.complaints(source.modules(root, "router", "evals", "tests"))
    return [str(complaint) for complaint in found]


def test_every_import_keeps_to_its_room() -> None:
    assert "" == "\n".join(map(str, imports.complaints(source.modules(ROOT, "router", "evals"))))


def test_every_file_and_function_stays_within_the_limits() -> None:
    assert "" == "\n".join(map(str, limits.complaints(source.modules(ROOT, "router", "evals", "tests"))))


def test_the_rules_saw_the_whole_tree() -> None:
    """A walk that finds nothing would hold every rule."""
    seen = {module.name for module in source.modules(ROOT, "router", "evals", "tests")}
    assert {"router", "router.vocabulary", "router.decide.policy", "evals", "tests.test_house"} <= seen


def strays(root: Path) -> list[str]:
    """Registry hosts, paths of one machine and secrets in any text of the tree."""
    found = []
    for path in source.files(root):
        text = path.read_bytes().decode("utf-8", errors="ignore")
        name = path.relative_to(root)
        found += [f"{name}: names the registry host {host}" for host in REGISTRY_HOSTS if host in text]
        found += [f"{name}: holds the machine path {match[0]}..." for match in MACHINE_PATH.finditer(text)]
        found += [f"{name}: holds what looks like a secret" for _ in SECRET.finditer(text)]
    return found


def test_the_tree_names_no_registry_no_machine_and_no_secret() -> None:
    assert [] == strays(ROOT)


@pytest.mark.parametrize(
    "text",
    [*REGISTRY_HOSTS, "see " + "/ro" + "ot/x", "sk-ant-" + "api03-" + "a" * 30, "-----BEGIN RSA" + " PRIVATE KEY-----"],
)
def test_a_stray_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "notes.md").write_text(f"first line\n{text}\n", encoding="utf-8")
    assert 1 == len(strays(tmp_path))


def test_what_is_not_ours_is_not_judged(tmp_path: Path) -> None:
    for folder in (".venv", "__pycache__", "build", "tierwise.egg-info"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file.py").write_text("import time\n", encoding="utf-8")
    assert [] == list(source.files(tmp_path))


DOC = '"""A sample."""\n'

# A rule by its line in the design, a sample that breaks it, and the words of the complaint.
IMPORT_SAMPLES = {
    "1 decide reads a clock": ("router/decide/tier.py", "import time", "decide/ imports time"),
    "1 wire opens a socket": ("router/wire/sse.py", "from socket import socket", "wire/ imports socket"),
    "1 decide knows a port": ("router/decide/tier.py", "from ..ports import Clock", "decide imports router.ports"),
    "1 wire only for typing": (
        "router/wire/ask.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from router.settings import Settings",
        "wire imports router.settings",
    ),
    "2 the story knows an edge": (
        "router/pipeline.py",
        "from .upstream import claude",
        "pipeline imports router.upstream",
    ),
    "2 a new step knows settings": ("router/step.py", "from router import settings", "step imports router.settings"),
    "3 edges know each other": (
        "router/api/ops.py",
        "from ..ledger.books import Books",
        "api imports router.ledger.books",
    ),
    "3 an edge decides": ("router/memory/pins.py", "from ..decide import tier", "memory imports router.decide.tier"),
    "4 the SDK elsewhere": (
        "router/relay.py",
        "import anthropic.types",
        "imports anthropic, which only evals, upstream may",
    ),
    "4 the framework elsewhere": (
        "router/cli/serve.py",
        "from litestar import Litestar",
        "imports litestar, which only api, app, standin may",
    ),
    "4 the dice elsewhere": ("router/dispatch.py", "from random import random", "imports random, which only clock may"),
    "4 the environment": ("router/app.py", "import os\nHOST = os.environ['HOST']", "reads the environment"),
    "4 the environment by name": ("router/app.py", "from os import getenv", "reads the environment"),
    "4 a database elsewhere": ("router/api/ops.py", "import apsw", "imports apsw, which only ledger, memory may"),
    "5 a room knows the app": ("router/standin/app.py", "from router import app", "standin imports router.app"),
    "5 the app knows the CLI": ("router/app.py", "from router.cli import main", "app imports router.cli.main"),
    "5 the service knows evals": ("router/cli/eval.py", "import evals.run", "Nobody imports evals or tests"),
    "5 evals know tests": ("evals/run.py", "from tests.house import limits", "Nobody imports evals or tests"),
    "6 an import in a function": ("router/relay.py", "def run():\n    import json", "inside a function"),
}

KNOWN = ("ports", "settings", "app", "upstream/claude", "ledger/books", "decide/tier", "cli/main")


@pytest.mark.parametrize("rule", IMPORT_SAMPLES)
def test_an_import_rule_fires(tmp_path: Path, rule: str) -> None:
    path, code, complaint = IMPORT_SAMPLES[rule]
    sample = {f"router/{name}.py": DOC for name in KNOWN} | {"router/upstream/__init__.py": "", path: DOC + code + "\n"}
    found = [text for text in complaints_of_sample(tmp_path, sample) if complaint in text]
    assert [path] == [text.partition(":")[0] for text in found]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("from .price import cost", "from .budget import afford"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from router.decide import price",
            "import router.decide.budget",
        ),
    ],
)
def test_a_ring_of_imports_is_found_even_for_typing(tmp_path: Path, first: str, second: str) -> None:
    sample = {"router/decide/budget.py": DOC + first, "router/decide/price.py": DOC + second}
    found = complaints_of_sample(tmp_path, sample)
    assert 1 == len([text for text in found if "imports in a ring: router.decide." in text])


def test_imports_that_the_design_allows_are_not_complained_of(tmp_path: Path) -> None:
    allowed = {
        "router/clock.py": "import time, random, asyncio",
        "router/settings.py": "import os\nHOME = os.environ['HOME']\nfrom .errors import StartError",
        "router/decide/tier.py": "from ..vocabulary import Choice\nfrom .policy import Policy\nfrom ..wire import ask",
        "router/pipeline.py": "import asyncio\nfrom .decide import tier\nfrom .relay import Relay\nfrom . import ports",
        "router/upstream/claude.py": "import anthropic\nfrom ..decide.policy import Model",
        "router/api/routes.py": "from litestar import post\nfrom ..pipeline import Pipeline",
        "router/memory/shared.py": "def connect():\n    import redis",
        "router/app.py": "from .upstream.claude import Claude\nfrom .settings import A\nfrom . import __version__",
        "router/cli/main.py": "from ..app import create_app",
        "router/__main__.py": "from .cli.main import main",
        "evals/run.py": "import anthropic\nfrom router.decide import tier",
    }
    sample = {path: DOC + code + "\n" for path, code in allowed.items()}
    sample |= {
        f"router/{name}.py": DOC for name in ("vocabulary", "errors", "ports", "relay", "decide/policy", "wire/ask")
    }
    assert [] == complaints_of_sample(tmp_path, sample)


DEEP = "def deep():\n for a in b:\n  with c:\n   while d:\n    if e:\n     pass"
WIDE = "class K:\n    def wide(self, a, b, c, *d, e, f, **g): ..."
FORKS = (
    "def forks(x):\n"
    + "    if x: pass\n" * 6
    + "    a = [1 if y else 2 for y in x]\n    match x:\n"
    + "".join(f"        case {number}: pass\n" for number in range(4))
)
LIMIT_SAMPLES = {
    "a long file": ("router/a.py", "x = 1\n" * 300, "301 lines in one file"),
    "a long function": ("router/a.py", "def long():\n" + "    x = 1\n" * 50, "long() has 51 lines"),
    "deep nesting": ("router/a.py", DEEP, "deep() has 4 levels of nesting"),
    "many parameters": ("router/a.py", WIDE, "wide() has 7 parameters"),
    "many branches": ("router/a.py", FORKS, "forks() has 11 branches"),
    "a name that says nothing": ("router/wire/string_utils.py", "", "`string_utils` says nothing"),
    "a package that says nothing": ("router/common/a.py", "", "`common` says nothing"),
    "mock": ("tests/test_a.py", "from unittest.mock import patch", "patches code"),
    "mock as a module": ("tests/test_a.py", "from unittest import mock", "patches code"),
    "monkeypatch of code": (
        "tests/test_a.py",
        "def test(monkeypatch):\n    monkeypatch.setattr('a.b', 1)",
        "patches code",
    ),
}


@pytest.mark.parametrize("rule", LIMIT_SAMPLES)
def test_a_limit_fires(tmp_path: Path, rule: str) -> None:
    path, code, complaint = LIMIT_SAMPLES[rule]
    found = complaints_of_sample(tmp_path, {path: DOC + code})
    assert [True] == [complaint in text for text in found]


def test_a_file_of_the_service_without_an_opening_is_found(tmp_path: Path) -> None:
    found = complaints_of_sample(
        tmp_path, {"router/a.py": "x = 1\n", "router/b/__init__.py": "", "tests/c.py": "x = 1\n"}
    )
    assert ["router/a.py:1: no docstring"] == [text.partition(". ")[0] for text in found]


def test_what_just_fits_is_not_complained_of(tmp_path: Path) -> None:
    ladder = "def ladder(x):\n    if x == 1: pass\n" + "".join(f"    elif x == {n}: pass\n" for n in range(2, 11))
    fits = {
        "router/length.py": DOC + "x = 1\n" * 299,
        "router/function.py": DOC + "def fits():\n" + "    x = 1\n" * 49,
        "router/ladder.py": DOC + ladder,
        "router/score.py": DOC + WIDE.replace(", **g", ""),
        "tests/test_settings.py": "def test(monkeypatch):\n    monkeypatch.setenv('TIERWISE_PORT', '0')\n",
    }
    assert [] == complaints_of_sample(tmp_path, fits)
