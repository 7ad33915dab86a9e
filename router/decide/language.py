"""Which language a text is written in, as an ISO 639-1 code.

Rule: pure; the library is an optional extra that is loaded when a policy first asks for a language.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

# More tells nothing more, and costs.
CHARS_LOOKED_AT = 2_000


def language_of(text: str) -> str:
    """The likeliest language; a text without words has none."""
    if not any(letter.isalpha() for letter in text[:CHARS_LOOKED_AT]):
        return ""
    return str(_identifier().classify(text[:CHARS_LOOKED_AT])[0])


def is_installed() -> bool:
    return find_spec("py3langid") is not None


def languages() -> frozenset[str]:
    """Every code that can come out. Loads the library."""
    return frozenset(str(code) for code, _ in _identifier().rank("a"))


@cache
def _identifier() -> Any:
    import py3langid  # noqa: PLC0415 - an optional extra, and 60 MB of memory that most policies never need

    return py3langid
