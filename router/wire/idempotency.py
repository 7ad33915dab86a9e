"""The header idempotency-key: a name that the caller gives a request, so that it is answered once.

Rule: pure. A structured-field string and the same without its quotes are one key.
"""

from __future__ import annotations

import re

from ..errors import RequestError

HEADER = "idempotency-key"
KEY_MAX = 255
_QUOTED = re.compile(r'"((?:[!#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[!#-\[\]-~]*")  # visible ASCII, without what a quoted one must escape
_ESCAPED = re.compile(r'\\(["\\])')


def key_of(value: str) -> str:
    """Raises RequestError(router_bad_idempotency_key)."""
    quoted = _QUOTED.fullmatch(value)
    key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else value
    if (quoted or _BARE.fullmatch(value)) and 0 < len(key) <= KEY_MAX:
        return key
    raise RequestError(
        "router_bad_idempotency_key",
        f"the header {HEADER} must hold 1 to {KEY_MAX} visible ASCII characters, in quotes or without",
        field=HEADER,
    )
