"""Moving the lines that vary behind the rest of a system text, so that what stays the same can be cached.

Rule: pure; only where the policy asks for it. The same text gives the same bytes in every turn, because a model's
earlier thinking is bound to the system text that it saw.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..vocabulary import Edit

_SYSTEM = msgspec.json.Decoder(str | list[msgspec.Raw])


class _Text(msgspec.Struct, forbid_unknown_fields=True):
    type: str
    text: str


_TEXT = msgspec.json.Decoder(_Text)


def moved(system: msgspec.Raw, varies: Callable[[str], object]) -> Edit | None:
    """The system text with its varying lines as a last block of their own; None where nothing has to move.

    A block that carries anything besides its text (a mark, a citation) stays where and as it is.
    """
    found = _SYSTEM.decode(system)
    blocks: list[msgspec.Raw] = [system] if isinstance(found, str) else found
    kept: list[msgspec.Raw] = []
    lines: list[str] = []
    for raw in blocks:
        text = found if isinstance(found, str) else _plain(raw)
        rest = None if text is None else [line for line in text.split("\n") if not varies(line)]
        if text is None or rest is None or len(rest) == text.count("\n") + 1:
            kept.append(raw if text is None or not isinstance(found, str) else _block(text))
            continue
        lines += [line for line in text.split("\n") if varies(line)]
        if any(rest):
            kept.append(_block("\n".join(rest)))
    if not lines or not kept:
        return None
    value = msgspec.Raw(msgspec.json.encode([*kept, _block("\n".join(lines))]))
    return Edit(key="system", value=value, why=f"{len(lines)} lines that vary moved behind the rest (cache.varying)")


def _plain(raw: msgspec.Raw) -> str | None:
    try:
        block = _TEXT.decode(raw)
    except msgspec.ValidationError:
        return None
    return block.text if block.type == "text" else None


def _block(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({"type": "text", "text": text}))
