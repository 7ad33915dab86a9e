"""Lines that vary go behind the rest, and the rest is the same in every call."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from router.decide.rules import pattern
from router.wire.varying import moved

VARIES = pattern("^Now: |request_id").search


def system(value: Any) -> Any:
    edit = moved(msgspec.Raw(msgspec.json.encode(value)), VARIES)
    return None if edit is None or edit.value is None else msgspec.json.decode(edit.value)


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("Be brief.", None),
        ("", None),
        ("Now: 12:01\nBe brief.", [text("Be brief."), text("Now: 12:01")]),
        ("Now: 12:01", None),
        ("Be brief.\nNow: 1\nBe kind.\nrequest_id=5", [text("Be brief.\nBe kind."), text("Now: 1\nrequest_id=5")]),
        ([text("Now: 1"), text("Be brief.")], [text("Be brief."), text("Now: 1")]),
        ([text("Be brief.", cache_control={"type": "ephemeral"}), text("Now: 1\nBe kind.")],
         [text("Be brief.", cache_control={"type": "ephemeral"}), text("Be kind."), text("Now: 1")]),
        ([text("Now: 1", citations=[])], None),
        ([{"type": "brand_new", "text": "Now: 1"}], None),
    ],
)  # fmt: skip
def test_where_the_lines_go(given: Any, found: Any) -> None:
    assert system(given) == found


def test_the_part_that_stays_is_the_same_bytes_in_every_call() -> None:
    edits = [moved(msgspec.Raw(msgspec.json.encode(f"Be brief.\nNow: {n}\n")), VARIES) for n in range(3)]
    stays = {bytes(msgspec.json.decode(edit.value, type=list[msgspec.Raw])[0]) for edit in edits if edit and edit.value}
    assert len(stays) == 1
