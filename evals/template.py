"""How a case is asked: the suite's template, filled in with the case's fields.

Rule: a field is put in as it is; braces in it are text. In the template {{ and }} are braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .vocabulary import Case, Suite

FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PIECE = re.compile(r"(\{\{|\}\}|\{([^{}\n]*)\}|[{}])")


class Named(NamedTuple):
    """A field that the template names, and where: the count of characters before it."""

    name: str
    at: int


class Broken(NamedTuple):
    """A place where the template is none."""

    message: str
    at: int


def named_in(template: str) -> tuple[tuple[Named, ...], tuple[Broken, ...]]:
    """The fields that a template names, and what is wrong with it."""
    names: list[Named] = []
    broken: list[Broken] = []
    for match in _PIECE.finditer(template):
        if match[1] in ("{{", "}}"):
            continue
        if match[2] is None:
            broken.append(Broken(f"a lone `{match[1]}`; write `{match[1] * 2}` for a brace", match.start()))
        elif FIELD.fullmatch(match[2]):
            names.append(Named(match[2], match.start()))
        else:
            cure = "name a field of the cases, or write {{ and }} for braces"
            broken.append(Broken(f"`{match[1]}` is no field; {cure}", match.start()))
    return tuple(names), tuple(broken)


def filled(template: str, fields: Mapping[str, str]) -> str:
    """Raises KeyError for a field that is not there; `eval check` finds that before anything is asked."""
    return _PIECE.sub(lambda match: _written(match, fields), template)


def rendered(suite: Suite, case: Case) -> str:
    return filled(suite.template, case.fields)


def _written(match: re.Match[str], fields: Mapping[str, str]) -> str:
    if match[1] in ("{{", "}}"):
        return match[1][0]
    return match[1] if match[2] is None else fields[match[2]]
