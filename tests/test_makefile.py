"""The front door for people: make sets up what is missing, and does nothing when nothing changed.

Rule: make is asked what it would do (`--question`); nothing is installed here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT

STAMPS = (".venv/pyvenv.cfg", ".venv/.runtime", ".venv/.dev")
SOURCES = ("requirements.lock", "requirements-dev.lock", "pyproject.toml")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is set up: every stamp is newer than what it was made from."""
    for name in ("Makefile", *SOURCES):
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, (1000, 1000))
    (tmp_path / ".venv").mkdir()
    for later, name in enumerate(STAMPS):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (2000 + later, 2000 + later))
    return tmp_path


def is_done(checkout: Path, target: str) -> bool:
    run = subprocess.run(["make", "--question", target], cwd=checkout, env=outside(), capture_output=True, check=False)
    assert run.returncode in (0, 1), run.stderr
    return run.returncode == 0


def outside() -> dict[str, str]:
    """Without what a surrounding `make test` tells its children."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def test_nothing_is_installed_when_nothing_changed(checkout: Path) -> None:
    assert (True, True) == (is_done(checkout, "setup"), is_done(checkout, ".venv/.dev"))


@pytest.mark.parametrize(
    ("changed", "setup_is_done"),
    [("requirements.lock", False), ("pyproject.toml", False), ("requirements-dev.lock", True)],
)
def test_a_changed_lock_is_installed_where_it_matters(checkout: Path, changed: str, setup_is_done: bool) -> None:
    os.utime(checkout / changed, (3000, 3000))
    assert (setup_is_done, False) == (is_done(checkout, "setup"), is_done(checkout, ".venv/.dev"))


@pytest.mark.parametrize("stamp", STAMPS[:2])
def test_an_interrupted_setup_is_taken_up_again(checkout: Path, stamp: str) -> None:
    (checkout / stamp).unlink()
    assert not is_done(checkout, "setup")


def test_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split()
    shown = subprocess.run(["make", "help"], cwd=ROOT, env=outside(), capture_output=True, text=True, check=True).stdout
    assert sorted(phony) == sorted(re.findall(r"^  make ([\w-]+) ", shown, re.MULTILINE))


def test_both_locks_pin_by_hash_and_hold_what_builds_the_package() -> None:
    for name in SOURCES[:2]:
        entries = re.split(r"\n(?=[a-z])", (ROOT / name).read_text(encoding="utf-8"))
        assert [] == [entry.split()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]
        assert any(entry.startswith("setuptools==") for entry in entries)


def test_the_developers_lock_pins_what_the_service_pins() -> None:
    pins = [
        set(re.findall(r"^[a-z][^ ]*==[^ ]+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in SOURCES[:2]
    ]
    assert set() == pins[0] - pins[1]


def test_the_script_of_the_ci_is_executable_and_is_shell() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)
