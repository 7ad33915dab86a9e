"""The short form of /complete: `{"prompt": "..."}` plus any field of the Messages API but `messages`.

Rule: pure; the prompt's own bytes become the one user turn, so nothing is spelt anew.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .fields import typed, wrong

_STRING = msgspec.json.Decoder(str)


def messages_of_prompt(fields: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The Messages body of a short form. Raises RequestError."""
    if "messages" in fields:
        raise wrong("prompt", "send either prompt or messages, not both")
    raw = fields["prompt"]
    if not typed(_STRING, raw, "prompt").strip():
        raise wrong("prompt", "must not be empty")
    built = {name: value for name, value in fields.items() if name != "prompt"}
    built["messages"] = msgspec.Raw(b'[{"role":"user","content":' + bytes(raw) + b"}]")
    return built
