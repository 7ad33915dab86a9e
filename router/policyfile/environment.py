"""`${NAME:-default}` in the few texts that are secrets or hosts.

Rule: the record keeps what is written, so that a hash and a screen never hold a secret; what it stands for
goes to the Rulebook alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Missing(Exception):
    """A variable that is not set and has no default."""


def filled_in(text: str, environment: AnyMapping[str, str]) -> str:
    """The text with each variable's value, or its default where it is unset or empty. Raises Missing."""

    def value(found: re.Match[str]) -> str:
        name, default = found.groups()
        known = environment.get(name) or default
        if known is None:
            raise Missing(name)
        return known

    return VARIABLE.sub(value, text)
