"""The tree as the rules see it: every file that is ours, and every Python module parsed once.

Rule: this file reads, `imports.py` and `limits.py` judge; a complaint names the place, the fault and the cure.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NOT_OURS = frozenset(
    {
        ".git", ".venv", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis",
        "build", "dist", "var", "node_modules",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Complaint:
    """What breaks a rule of the house, where, and what to do about it."""

    path: str
    line: int
    fault: str
    cure: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.fault}. {self.cure}."


@dataclass(frozen=True)
class Module:
    """One Python file: its path from the root, its dotted name, its text and its syntax tree."""

    path: str
    name: str
    is_package: bool
    text: str
    tree: ast.Module

    def complaint(self, line: int, fault: str, cure: str) -> Complaint:
        return Complaint(self.path, line, fault, cure)


def files(root: Path) -> Iterator[Path]:
    """Every file below `root` that is ours, in a stable order."""
    for path in sorted(root.iterdir()):
        if path.name in NOT_OURS or path.name.endswith(".egg-info"):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from files(path)
        elif path.is_file():
            yield path


def modules(root: Path, *packages: str) -> tuple[Module, ...]:
    """Every module of the named packages."""
    return tuple(
        _module(root, path)
        for package in packages
        if (root / package).is_dir()
        for path in files(root / package)
        if path.suffix == ".py"
    )


def _module(root: Path, path: Path) -> Module:
    relative = path.relative_to(root)
    is_package = path.stem == "__init__"
    parts = relative.parts[:-1] if is_package else relative.with_suffix("").parts
    text = path.read_text(encoding="utf-8")
    return Module(str(relative), ".".join(parts), is_package, text, ast.parse(text, filename=str(relative)))
