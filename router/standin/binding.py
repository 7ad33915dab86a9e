"""Thinking blocks are bound to the conversation that they were made in.

A signature carries a digest of all that came before it: tools, system, earlier turns. Replayed after
any of that was edited, the block is refused by the models that can read it; the others ignore it.

Rule: pure. Marks and other thinking blocks are not part of the digest, and a signature that the
stand-in did not make is let pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from .models import Model
from .prompt import UNMARKABLE, Json, blocks_of, without_mark
from .refused import Refused

PREFIX = "standin"

_encode = msgspec.json.Encoder().encode


def signature(body: Json, model: Model) -> str:
    """The signature of a thinking block that answers this request."""
    *_, digest = _digests(body)
    return f"{PREFIX}.{model.id}.{digest}"


def check_binding(body: Json, model: Model) -> None:
    """Refuse a thinking block whose conversation was edited since."""
    marked = [(turn, name) for turn, name in _signatures(body) if name.startswith(f"{PREFIX}.")]
    if not marked:
        return
    digests = list(_digests(body))
    for turn, name in marked:
        _, maker, digest = [*name.split("."), "", ""][:3]
        if maker in model.reads and digest != digests[turn]:
            raise Refused(f"messages.{turn}: `thinking` block is bound to a different conversation")


def _signatures(body: Json) -> Iterator[tuple[int, str]]:
    for turn, message in enumerate(body["messages"]):
        for block in blocks_of(message["content"]):
            if block["type"] == "thinking" and isinstance(block.get("signature"), str):
                yield turn, block["signature"]


def _digests(body: Json) -> Iterator[str]:
    """What came before each turn, and last what came before the next one."""
    digest = blake2b(_encode([without_mark(tool) for tool in body.get("tools") or []]), digest_size=16)
    digest.update(_encode([without_mark(block) for block in blocks_of(body.get("system"))]))
    for message in body["messages"]:
        yield digest.hexdigest()
        said = [without_mark(block) for block in blocks_of(message["content"]) if block["type"] not in UNMARKABLE]
        digest.update(_encode((message["role"], said)))
    yield digest.hexdigest()
