"""What is asked: each question has one form, and one answer that the stand-in would give whole.

Rule: pure; a number is the same question, in the same form, in every run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

STREAMED = "[streamed]"  # in the text, so that a fault can be for streams only
MAX_TOKENS = 1024


@dataclass(frozen=True)
class Question:
    """One request to come. Every other one is streamed, and every fifth goes through /v1/messages."""

    number: int

    @property
    def stream(self) -> bool:
        return self.number % 2 == 1

    @property
    def door(self) -> str:
        return "messages" if self.number % 10 in (4, 9) else "complete"

    @property
    def text(self) -> str:
        form = STREAMED if self.stream else "[whole]"
        return (
            f"Question {self.number} {form}: how does a B-tree split a full node, what becomes of the middle key,"
            " and why does the tree stay level? Answer in three sentences, please."
        )

    @property
    def answer(self) -> str:
        """What the stand-in says to it, whole."""
        return f"You asked: {self.text}"


def short_form(question: Question) -> bytes:
    """The body for /complete."""
    return _body({"prompt": question.text}, question)


def messages_form(question: Question, model: str) -> bytes:
    """The body for /v1/messages."""
    turn = {"role": "user", "content": question.text}
    return _body({"model": model, "messages": [turn]}, question)


def _body(fields: dict[str, object], question: Question) -> bytes:
    stream = {"stream": True} if question.stream else {}
    return json.dumps({**fields, "max_tokens": MAX_TOKENS, **stream}).encode()
