"""A body and its headers, read once: bytes in, one Ask out.

Rule: pure. Everything that is not named here travels on as the bytes that came.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ..vocabulary import Ask, Door
from .facts import read_facts
from .fields import wrong
from .json_gate import read_object
from .simple import messages_of_prompt
from .words import words_of_body, words_of_headers

_REMINDER, _REMINDER_END = "<system-reminder>", "</system-reminder>"
_CUT = " […] "


class _Part(msgspec.Struct):
    type: str = ""
    text: str | msgspec.UnsetType = msgspec.UNSET


class _Said(msgspec.Struct):
    role: str
    content: msgspec.Raw


_SAID = msgspec.json.Decoder(list[_Said])
_CONTENT = msgspec.json.Decoder(str | list[_Part])


def read_messages(body: bytes, headers: Mapping[str, str]) -> Ask:
    """A request to /v1/messages. Raises RequestError."""
    ask = read_counted(body, headers)
    if ask.facts.max_tokens is None:
        raise wrong("max_tokens", "is required: the most tokens that the answer may have")
    return ask


def read_counted(body: bytes, headers: Mapping[str, str]) -> Ask:
    """A request to /v1/messages/count_tokens, which has no max_tokens."""
    fields = read_object(body)
    return Ask(
        door=Door.MESSAGES,
        raw=body,
        fields=fields,
        facts=read_facts(fields, headers, len(body)),
        words=words_of_headers(headers),
        headers=_forwarded(headers),
        sent_headers=headers,
    )


def read_complete(body: bytes, headers: Mapping[str, str]) -> Ask:
    """A request to /complete: the short form, or any Messages body, and maybe a `router` object."""
    fields = read_object(body)
    words = words_of_headers(headers)
    router = fields.pop("router", None)
    if router is not None:
        words = words_of_body(router, words)
    short_form = "prompt" in fields
    if short_form:
        fields = messages_of_prompt(fields)
    elif "messages" not in fields:
        raise wrong("prompt", "is required: send either prompt (a text) or messages (a list of turns)")
    return Ask(
        door=Door.COMPLETE,
        raw=body,
        fields=fields,
        facts=read_facts(fields, headers, len(body)),
        words=words,
        headers=_forwarded(headers),
        sent_headers=headers,
        short_form=short_form,
    )


def question_text(ask: Ask, max_chars: int) -> str:
    """The newest turn of the user that has text, cut to its head and tail; "" when there is none."""
    for turn in reversed(_SAID.decode(ask.fields["messages"])):
        text = _text(turn.content) if turn.role == "user" else ""
        if text:
            return _shortened(text, max_chars)
    return ""


def _text(content: msgspec.Raw) -> str:
    try:
        said = _CONTENT.decode(content)
    except msgspec.ValidationError:
        return ""  # a text that is none: the API will say so
    if isinstance(said, str):
        return _without_reminders(said).strip()
    texts = (part.text for part in said if part.type == "text" and isinstance(part.text, str))
    return "\n".join(_without_reminders(text) for text in texts).strip()


def _without_reminders(text: str) -> str:
    """What a harness slips in is no question. One that never ends stays."""
    kept, at = [], 0
    while (start := text.find(_REMINDER, at)) >= 0 and (end := text.find(_REMINDER_END, start)) >= 0:
        kept.append(text[at:start])
        at = end + len(_REMINDER_END)
    return "".join(kept) + text[at:] if at else text


def _shortened(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    room = max_chars - len(_CUT)
    if room < 2:
        return text[: max(max_chars, 0)]
    tail = room // 3
    return text[: room - tail] + _CUT + text[len(text) - tail :]


def _forwarded(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers.items() if name.startswith("anthropic-"))
