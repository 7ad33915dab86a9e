"""Bodies as a batch takes them: whole, and with the system text marked for the prompt cache where many share it.

Rule: pure. Nothing else of a body is touched. A live call gets its marks from the pipeline, which sees what comes back;
of a batch all is known before, and without marks a long system text would cost more at half price than live.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from router.decide.policy import Rulebook
from router.decide.price import CHARACTERS_PER_TOKEN

from .question import Question

SHARED_MIN = 2  # a write costs a quarter more than no mark, a read a tenth: one read pays for it
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)

Prefix = tuple[str, bytes]  # the model, and the system text as it is written


def batch_bodies(questions: Sequence[Question], rules: Rulebook) -> dict[str, bytes]:
    """By key."""
    fields = {question.key: _FIELDS.decode(question.ready.body) for question in questions}
    prefixes = {question.key: _prefix(question, fields[question.key], rules) for question in questions}
    counts = Counter(prefix for prefix in prefixes.values() if prefix is not None)
    shared = {prefix for prefix, count in counts.items() if count >= SHARED_MIN}
    return {key: _body(fields[key], marked=prefix in shared) for key, prefix in prefixes.items()}


def _prefix(question: Question, fields: dict[str, msgspec.Raw], rules: Rulebook) -> Prefix | None:
    """What can be cached of it; None where the policy sets no marks, or it is too short for the model."""
    system = bytes(fields.get("system", b""))
    if rules.policy.cache.marks != "auto" or not system.startswith(b'"'):
        return None
    characters, tokens = CHARACTERS_PER_TOKEN
    model = rules.models[question.ready.model]
    return (question.ready.model, system) if len(system) * tokens // characters >= model.cache_minimum else None


def _body(fields: dict[str, msgspec.Raw], *, marked: bool) -> bytes:
    whole = {name: value for name, value in fields.items() if name != "stream"}  # a batch knows no streams
    if not marked:
        return msgspec.json.encode(whole)
    block = {"type": "text", "text": _TEXT.decode(whole["system"]), "cache_control": {"type": "ephemeral"}}
    return msgspec.json.encode({**whole, "system": [block]})
