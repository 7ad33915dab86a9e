"""A JSON value that fits a schema, chosen by the words of a text and by nothing else.

Rule: pure and deterministic: the same schema and text give the same value, always.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

DEPTH_MAX = 20
STRING_CHARACTERS = 80
SHARED_LETTERS = 4  # two words that begin with the same four letters are taken for one another

HARD_CHARACTERS = 2_000
MEDIUM_CHARACTERS = 400
HARD_WORDS = ("prove", "architecture", "race condition", "legal")
MEDIUM_WORDS = ("explain", "write", "debug", "analyse", "analyze")
LEVELS = ("simple", "complex", "edge_case")

PLAIN = {"integer": 1, "number": 1.5, "boolean": True}
STRING_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}

_word = re.compile(r"[a-z0-9]+")


def fit(schema: Any, text: str) -> Any:
    """A value for the whole schema."""
    definitions = {}
    if isinstance(schema, dict):
        definitions = {**_members(schema, "definitions"), **_members(schema, "$defs")}
    return _fit(schema, text, "", definitions, 0)


def choose(members: Sequence[Any], name: str, text: str) -> Any:
    """One member of an enum: by difficulty when it is called so, else by the words of the text."""
    names = [str(member) for member in members]
    if name == "difficulty":
        wanted = difficulty(text)
        position = names.index(wanted) if wanted in names else min(LEVELS.index(wanted), len(names) - 1)
        return members[position]
    return members[_named_in(names, text.lower())]


def difficulty(text: str) -> str:
    """How hard a text looks: by its length and a few words."""
    low = text.lower()
    if len(text) > HARD_CHARACTERS or any(word in low for word in HARD_WORDS):
        return "edge_case"
    if len(text) > MEDIUM_CHARACTERS or any(word in low for word in MEDIUM_WORDS):
        return "complex"
    return "simple"


def _named_in(names: Sequence[str], text: str) -> int:
    """The member that the text names; else the one that shares a word with it; else the first."""
    for index, name in enumerate(names):
        low = name.lower()
        if low and (low in text or low.replace("_", " ").replace("-", " ") in text):
            return index
    parts = [
        (part, index) for index, name in enumerate(names) for part in _word.findall(name.lower().replace("_", " "))
    ]
    for word in _word.findall(text):
        for part, index in parts:
            if word == part or (len(word) >= SHARED_LETTERS and word[:SHARED_LETTERS] == part[:SHARED_LETTERS]):
                return index
    return 0


def _fit(schema: Any, text: str, name: str, definitions: dict[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict) or depth > DEPTH_MAX:
        return None
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return choose(schema["enum"], name, text)
    pointed = _pointed(schema, definitions)
    if pointed is not None:
        return _fit(pointed, text, name, definitions, depth + 1)
    kind = _kind(schema)
    if kind == "object":
        members = _members(schema, "properties")
        return {key: _fit(value, text, key, definitions, depth + 1) for key, value in members.items()}
    if kind == "array":
        return [_fit(schema["items"], text, name, definitions, depth + 1)] if "items" in schema else []
    return _plain(kind, schema, text)


def _pointed(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """The schema that this one only points to: a definition, or the first of a choice."""
    if isinstance(schema.get("$ref"), str):
        return definitions.get(schema["$ref"].rsplit("/", 1)[-1], {"type": "null"})
    choices = (schema.get(name) for name in ("anyOf", "oneOf", "allOf"))
    return next((choice[0] for choice in choices if isinstance(choice, list) and choice), None)


def _kind(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0] if kind else "string"
    return str(kind)


def _plain(kind: str, schema: dict[str, Any], text: str) -> Any:
    if kind == "string":
        return STRING_FORMATS.get(str(schema.get("format")), " ".join(text[:STRING_CHARACTERS].split()))
    return PLAIN.get(kind)


def _members(schema: dict[str, Any], name: str) -> dict[str, Any]:
    found = schema.get(name)
    return found if isinstance(found, dict) else {}
