"""A policy as lines of `path: value`, so that two of them can be compared and the difference kept.

Rule: pure, and never a secret: where alerts go and what signs them is only told to be set.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator

import msgspec

from ..decide.policy import Policy

LINES_MAX = 400
VALUE_CHARS_MAX = 200
SECRET = frozenset({"alerts.webhook", "alerts.secret"})


def said(policy: Policy) -> list[str]:
    """Everything that the policy says that is not a default."""
    plain = _without_defaults(policy)
    return [_line(path, value) for path, value in _leaves(plain, "")]


def difference(before: list[str], after: list[str]) -> str:
    """What went and what came, a line each; empty when nothing did."""
    changed = [
        line
        for line in difflib.unified_diff(before, after, lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    if len(changed) > LINES_MAX:
        changed = [*changed[:LINES_MAX], f"... and {len(changed) - LINES_MAX} lines more"]
    return "\n".join(changed)


def _line(path: str, value: object) -> str:
    if path in SECRET:
        return f"{path}: (set)"
    text = json.dumps(value, ensure_ascii=False)
    return f"{path}: {text if len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + '...'}"


def _without_defaults(record: object) -> object:
    match record:
        case msgspec.Struct():
            defaults = {field.name: field for field in msgspec.structs.fields(record)}
            return {
                name: _without_defaults(getattr(record, name))
                for name, field in defaults.items()
                if field.required or getattr(record, name) != _default(field)
            }
        case dict():
            return {name: _without_defaults(value) for name, value in record.items()}
        case tuple() | list():
            return [_without_defaults(value) for value in record]
        case _:
            return msgspec.to_builtins(record)


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    return field.default_factory() if callable(field.default_factory) else msgspec.NODEFAULT


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for name, child in value.items():
            yield from _leaves(child, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(child, dict) for child in value):
        for child in value:
            # By name, where it has one: a rule that moves is one that goes and one that comes.
            name = child.get("name", "?") if isinstance(child, dict) else "?"
            yield from _leaves(child, f"{path}[{name}]")
    else:
        yield path, value
