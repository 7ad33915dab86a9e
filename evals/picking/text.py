"""routes.yaml as text: written the same way every time, so that a diff shows what was measured and nothing else.

Rule: what is written is read back first, and put in its place whole. Comments at the top of the file are kept.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from router.decide.policy import RouteFile
from router.policyfile.measurements import read_routes
from router.policyfile.report import Report

from ..durable import write_whole

HEAD = """\
# How often each tier did each task well. Written by `tierwise eval pick`, reviewed as a diff; docs/policies.md says
# what each key means.
"""
NAME = "routes.yaml"
READABLE = 0o644
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*|\d{4}-\d\d-\d\d")
_TYPED = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


def routes_path(policy: Path) -> Path:
    """The measurements stand beside the policy."""
    return policy.parent / NAME


def present(policy: Path) -> RouteFile:
    """What is measured now; nothing where there is no file. Raises PolicyError."""
    path, report = routes_path(policy), Report()
    routes = read_routes(path, report) if path.exists() else None
    report.raise_errors()
    return RouteFile() if routes is None else routes.file


def text_of(file: RouteFile, head: str = HEAD) -> str:
    """Verdicts first: they are what a reviewer looks for. Keys that say nothing are left out."""
    lines = [head.rstrip("\n"), "", f"version: {file.version}"] if head.strip() else [f"version: {file.version}"]
    if file.verdicts:
        lines += ["", "verdicts:", *_block(file.verdicts, 1)]
    lines += ["", "routes:" if file.routes else "routes: {}", *_block(file.routes, 1)]
    return "\n".join(lines) + "\n"


def opening(text: str) -> str:
    """The comments that the file begins with."""
    kept = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            break
        kept.append(line)
    return "\n".join(kept).strip("\n")


def comments_lost(text: str) -> int:
    """Lines of comment below the top: writing the file anew drops them."""
    rest = text.removeprefix(opening(text)) if opening(text) else text
    return sum(line.lstrip().startswith("#") for line in rest.splitlines())


def diff(before: str, after: str, name: str, run_id: str) -> str:
    """Unified; empty when nothing changes."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} (after {run_id})"
    )
    return "".join(lines)


def write(path: Path, text: str) -> None:
    """Raises PolicyError when the text would not be read back, OSError when it cannot be written."""
    path = path.resolve()  # a link stays one
    mode = path.stat().st_mode & 0o777 if path.exists() else READABLE
    unchecked = path.with_name(f"{path.name}.unchecked")
    write_whole(unchecked, text.encode())
    try:
        report = Report()
        read_routes(unchecked, report)
        report.raise_errors()
        unchecked.chmod(mode)
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)


def _block(value: object, depth: int) -> Iterator[str]:
    """Keys and values, each on a line of its own."""
    if isinstance(value, msgspec.Struct):
        value = dict(_told(value))
    assert isinstance(value, dict), "only records and names with records are written as blocks"
    margin = "  " * depth
    for name, part in value.items():
        if isinstance(part, dict | msgspec.Struct):
            yield f"{margin}{name}:" if part else f"{margin}{name}: {{}}"
            yield from _block(part, depth + 1)
        else:
            yield f"{margin}{name}: {_scalar(part)}"


def _told(record: msgspec.Struct) -> Iterator[tuple[str, object]]:
    """What differs from its default, and what must be there."""
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if field.required or value != field.default:
            yield field.name, value


def _scalar(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:.4f}".rstrip("0").rstrip(".") if value else "0"
        case tuple():
            return f"[{', '.join(_scalar(one) for one in value)}]"
        case _:
            return _text(str(value))


def _text(value: str) -> str:
    """Without quotes where it can only be read as text."""
    plain = _PLAIN.fullmatch(value) is not None and value.lower() not in _TYPED
    return value if plain else json.dumps(value, ensure_ascii=False)
