"""What is wrong with `cache`: prefixes that cannot be warmed, lines that cannot be found.

Rule: each check says what is wrong, where, and what is allowed instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ..decide.rules import BadPattern, pattern
from ..errors import RequestError
from ..wire.ask import read_messages
from .crosschecks import Sources
from .document import find
from .report import Report, listed, nearest

ALLOWED = ("tools", "system", "thinking", "output_config")
FILE_BYTES_MAX = 8 * 1024 * 1024
NOBODY = b'[{"role":"user","content":"."}]'  # what stands where the user's text will stand


def warming(sources: Sources, folder: Path, report: Report) -> dict[str, bytes]:
    """The bodies of the prefixes that are kept warm, by name."""
    bodies = {}
    for name, part in sources.policy.cache.prewarm.items():
        path = ("cache", "prewarm", name)
        if part.tier not in sources.policy.tiers:
            hint = nearest(part.tier, sources.policy.tiers)
            message = f"no tier is called `{part.tier}`{hint}; the tiers are: {listed(sources.policy.tiers)}"
            report.error(sources.page, find(sources.root, *path, "tier"), message)
        body, trouble = _body(folder / part.file)
        if trouble:
            report.error(sources.page, find(sources.root, *path, "file"), f"{part.file}: {trouble}")
        else:
            bodies[name] = body
    return bodies


def varying(sources: Sources, report: Report) -> Any:
    """All the lines that vary as one pattern; None where there are none."""
    patterns = sources.policy.cache.varying
    for number, text in enumerate(patterns):
        try:
            pattern(text)
        except BadPattern as error:
            report.error(sources.page, find(sources.root, "cache", "varying", number), str(error))
            return None
    return pattern("|".join(f"(?:{text})" for text in patterns)) if patterns else None


def files(sources: Sources, folder: Path) -> tuple[str, ...]:
    return tuple(str(folder / part.file) for part in sources.policy.cache.prewarm.values())


def _body(path: Path) -> tuple[bytes, str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        return b"", f"it cannot be read: {error.strerror or error}"
    if len(data) > FILE_BYTES_MAX:
        return b"", "it is larger than 8 MB"
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        return b"", f"it is no JSON object: {error}"
    wrong = [name for name in fields if name not in ALLOWED]
    if wrong or not {"tools", "system"} & fields.keys():
        rest = f"; not `{wrong[0]}`" if wrong else ""
        return b"", f"it needs `tools` or `system`, and takes {listed(ALLOWED)}{rest}"
    body = msgspec.json.encode({"max_tokens": 0, "messages": msgspec.Raw(NOBODY), **fields})
    try:
        read_messages(body, {})
    except RequestError as wrong_part:
        return b"", wrong_part.message
    return body, ""
