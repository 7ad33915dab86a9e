"""The requests that the policy kept, as examples for a suite.

Rule: what an answer should have been, nobody has said: `expected` is left for a person. Only requests of one turn of
text can be cases; the others are counted, never bent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from router.vocabulary import Sampled
from router.vocabulary.noun import Noun

from .scaffold import Example


class Kept(Noun, frozen=True, kw_only=True):
    """What can be made a suite of: requests with one and the same system prompt."""

    examples: tuple[Example, ...] = ()
    system: str = ""
    task: str | None = None  # when all are of one
    unfit: int = 0  # several turns, images, tools
    other_system: int = 0
    repeated: int = 0


class _Body(msgspec.Struct):
    messages: list[dict[str, Any]]
    system: Any = None
    tools: Any = None


def examples_of_kept(kept: Iterable[Sampled], limit: int) -> Kept:
    """The newest `limit` that share the commonest system prompt; each question once."""
    read = [(sampled, _read(sampled.body)) for sampled in kept]
    fit = [(sampled, *texts) for sampled, texts in read if texts is not None]
    system = Counter(one for _, one, _ in fit).most_common(1)[0][0] if fit else ""
    chosen: dict[str, Sampled] = {}
    for sampled, one, text in fit:  # the newest first
        if one == system:
            chosen.setdefault(text, sampled)
    examples = [_example(text, sampled) for text, sampled in chosen.items()]
    same = sum(one == system for _, one, _ in fit)
    tasks = {sampled.task for sampled in chosen.values()}
    return Kept(
        examples=tuple(examples[:limit]),
        system=system,
        task=next(iter(tasks)) or None if len(tasks) == 1 else None,
        unfit=len(read) - len(fit),
        other_system=len(fit) - same,
        repeated=same - len(chosen),
    )


def _example(text: str, sampled: Sampled) -> Example:
    return Example(fields={"input": text}, tags=(sampled.verdict_difficulty,) if sampled.verdict_difficulty else ())


def _read(body: bytes) -> tuple[str, str] | None:
    """The system prompt and the prompt of a request of one turn; None for any other."""
    try:
        said = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, RecursionError):
        return None
    if len(said.messages) != 1 or said.messages[0].get("role") != "user" or said.tools:
        return None
    system, prompt = _text(said.system or ""), _text(said.messages[0].get("content"))
    return None if system is None or not prompt else (system, prompt)


def _text(content: Any) -> str | None:
    """Text as it is, or blocks that are nothing but text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        return None
    if any(block.get("type") != "text" or not isinstance(block.get("text"), str) for block in content):
        return None
    return "\n\n".join(block["text"] for block in content)
