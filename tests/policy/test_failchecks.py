"""What a policy says of failing calls is held against itself before it comes into force."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.errors import PolicyError
from router.policyfile import load

TIERS = "tiers: {haiku: {model: claude-haiku-5-5}}\n"
SCHEMA = "{type: object, properties: {a: {type: integer}}, required: [a]}"


def complaints(text: str, folder: Path) -> str:
    path = folder / "policy.yaml"
    path.write_text(TIERS + text)
    with pytest.raises(PolicyError) as caught:
        load(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fallbacks: {on: {spend_limited: [wait]}}", "no call helps after `spend_limited`"),
        ("fallbacks: {on: {authentication: [next, canned]}}", "no call helps after `authentication`"),
        ("fallbacks: {on: {overloaded: [next, serve]}}", "there is no answer to serve after `overloaded`"),
        ("fallbacks: {on: {overloaded: [stale, next]}}", "`next` makes a call; calls come before what needs none"),
        ("fallbacks: {on: {overloded: [next]}}", "overloaded"),
        ("fallbacks: {on: {overloaded: [nxt]}}", "next"),
        ("fallbacks: {workloads: {background: {billing: [retry]}}}", "no call helps after `billing`"),
        ("tasks: {a: {on: {permission: [up]}}}", "no call helps after `permission`"),
        ("breaker: {open_s: 30, open_max_s: 10}", "is less than `open_s` (30)"),
        ("pacing: {start: 2000}", "must grow in this order"),
        ("fallbacks: {canned_in: {de: 'Tut {mir} leid'}}", "nothing fills in `{mir}`"),
        ("tasks: {a: {canned_in: {de: 'Tut {mir} leid'}}}", "nothing fills in `{mir}`"),
        ("tasks: {a: {output: {type: json}, canned: Sorry.}}", "the canned reply is no JSON"),
        (
            'tasks: {a: {output: {type: enum, values: [x]}, canned: \'{"answer": "y"}\'}}',
            "the canned reply is none of the task's values",
        ),
        (
            f'tasks: {{a: {{output: {{type: json_schema, schema: {SCHEMA}}}, canned: \'{{"a": "x"}}\'}}}}',
            "the canned reply does not fit the task's schema at a",
        ),
        ("jobs: {webhook_hosts: ['https://a.example']}", "takes a host's name"),
        ("jobs: {webhook_hosts: ['*']}", "takes a host's name"),
        ("jobs: {webhook_hosts: [10.0.0.1]}", "takes a host's name"),
        ("tasks: {a: {output: {type: json_schema, schema: {type: objekt}}}}", "is no JSON Schema"),
        (
            "tasks: {a: {output: {type: json_schema, schema: {$ref: 'http://127.0.0.1:9/x.json'}}}}",
            "is no JSON Schema",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(text: str, complaint: str, tmp_path: Path) -> None:
    said = complaints(text, tmp_path)
    assert complaint in said
    assert "policy.yaml:" in said


def test_what_fits_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    schema = f"output: {{type: json_schema, schema: {SCHEMA}}}"
    path.write_text(
        TIERS
        + f"tasks: {{a: {{description: Data., {schema}, canned: '{{\"a\": 1}}', canned_in: {{de: '{{\"a\": 2}}'}}}}}}\n"
        + "fallbacks: {on: {overloaded: [next, stale, defer, fail], refused: [up, serve]}}\n"
    )
    rules = load(path)
    assert rules.warnings == ()
    assert rules.contracts["a"].is_valid({"a": 1})
    assert not rules.contracts["a"].is_valid({"a": "1"})


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("jobs: {enabled: false}\nfallbacks: {on: {overloaded: [defer]}}", "`defer` does nothing"),
        ("fallbacks: {on: {overloaded: [canned]}}", "there is no canned reply to give"),
        ("fallbacks: {on: {overloaded: [sibling]}}", "no tier has `siblings`"),
    ],
)
def test_what_can_do_nothing_is_warned_of(text: str, warning: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"{TIERS}{text}\n")
    assert [True] == [warning in one for one in load(path).warnings]
