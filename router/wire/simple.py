"""The short form of /complete: `{"prompt": "..."}` plus any field of the Messages API but `messages`.

Rule: pure; the prompt's own bytes become the one user turn, so nothing is spelt anew.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .facts import wrong

_STRING = msgspec.json.Decoder(str)


def messages_of_prompt(fields: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The Messages body of a short form. Raises RequestError."""
    if "messages" in fields:
        raise wrong("prompt", "send either prompt or messages, not both")
    raw = fields["prompt"]
    try:
        prompt = _STRING.decode(raw)
    except msgspec.DecodeError:
        raise wrong("prompt", "expected a text") from None
    if not prompt.strip():
        raise wrong("prompt", "must not be empty")
    built = {name: value for name, value in fields.items() if name != "prompt"}
    built["messages"] = msgspec.Raw(b'[{"role":"user","content":' + bytes(raw) + b"}]")
    return built
