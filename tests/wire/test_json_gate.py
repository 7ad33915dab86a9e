"""Row P13 of the fault matrix: what is no JSON object we can vouch for never gets in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.wire.json_gate import DEPTH_MAX, KEYS_MAX, STRUCTURE_MAX, read_object

from .samples import json, objects, refusal, spelt


def refused(body: bytes) -> str:
    """What the gate says to a body that it does not let in."""
    error = refusal(lambda: read_object(body))
    assert error is not None, "the gate let it in"
    assert ("router_bad_json", None) == (error.code, error.field)
    return error.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is empty; send a JSON object"),
        (b"[]", "the body is JSON, but not an object"),
        (b"null", "the body is JSON, but not an object"),
        (b'"{}"', "the body is JSON, but not an object"),
        (b"<html>", "the body is not valid JSON (invalid character (byte 0))"),
        (b'{"a":1', "the body is not valid JSON (Input data was truncated)"),
        (b'{"a":1} x', "the body is not valid JSON (trailing characters (byte 9))"),
        (b'{"a":1}\n{}', "the body is not valid JSON (trailing characters (byte 9))"),
        (b'{"a":NaN}', "the body is not valid JSON (invalid character (byte 5))"),
        (b'{"a":Infinity}', "the body is not valid JSON (invalid character (byte 5))"),
        (b"{'a':1}", "the body is not valid JSON (object keys must be strings (byte 1))"),
        (b'{"a":1,}', "the body is not valid JSON (trailing comma in object (byte 7))"),
        (b'{"a":"\x00"}', "the body is not valid JSON (invalid character (byte 6))"),
        (b'{"a":["\n"]}', "the body is not valid JSON (invalid character (byte 7))"),
        (b'{"a":"\xff"}', "the body is not UTF-8 (byte 6)"),
        (b'{"a":{"b":"\xed\xa0\x80"}}', "the body is not UTF-8 (byte 11)"),
        (b'\xef\xbb\xbf{"a":1}', "the body starts with a byte order mark; send plain UTF-8"),
        ('{"a":1}'.encode("utf-16"), "the body is not UTF-8 (byte 0)"),
        ('{"a":1}'.encode("utf-16-le"), "the body is not valid JSON (object keys must be strings (byte 1))"),
    ],
)
def test_what_is_no_json_object_is_refused_with_its_place(body: bytes, message: str) -> None:
    assert message == refused(body)


@pytest.mark.parametrize(
    "text", [r"\ud800", r"\ud800aaaaaaaa", r"\udc00", r"\udc00\ud800", r"\ud83d\\ude00a", r"\ud83d\u0041aa", r"\uD83Dx"]
)
def test_half_a_surrogate_pair_is_refused_wherever_it_stands(text: str) -> None:
    for body in (f'{{"a":"{text}"}}', f'{{"a":[{{"b":"{text}"}}]}}', f'{{"{text}":1}}'):
        assert refused(body.encode()).startswith("the body is not valid JSON")


@pytest.mark.parametrize("text", [r"\ud83d\ude00", r"\\ud800", r"\\\\udc00", r"\u0000", "\x7f", "é", "😀"])
def test_what_only_looks_like_half_a_pair_gets_in(text: str) -> None:
    assert [b'"' + text.encode() + b'"'] == [
        bytes(value) for value in read_object(f'{{"a":"{text}"}}'.encode()).values()
    ]


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_64_levels_get_in_and_65_do_not(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"

    def nested(levels: int) -> bytes:
        return b'{"a":' + opening * (levels - 1) + b"1" + closing * (levels - 1) + b"}"

    assert ["a"] == list(read_object(nested(DEPTH_MAX)))
    assert f"the body is nested deeper than {DEPTH_MAX} levels, or its brackets do not match" == refused(
        nested(DEPTH_MAX + 1)
    )


@pytest.mark.parametrize("text", [b"[" * 100, b'\\"[{' * 100, b"\\\\", b'\\\\\\"[' * 100, b"]]]]", b""])
def test_brackets_inside_strings_are_no_levels(text: bytes) -> None:
    body = b'{"a":["' + text + b'",[' + b",".join([b'{"b":["' + text + b'"]}'] * 100) + b"]]}"
    assert ["a"] == list(read_object(body))


@pytest.mark.parametrize("before", [b'"', b'"]]]]', b'"\\"]]', b'"\\\\'])
def test_brackets_inside_strings_hide_no_level(before: bytes) -> None:
    deep = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    assert "nested deeper" in refused(b'{"a":[' + before + b'",' + deep + b"]}")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"])
def test_very_deep_nesting_is_refused_like_any_other(body: bytes) -> None:
    assert "nested deeper" in refused(body)


def test_more_structure_than_any_conversation_has_is_refused_before_it_is_built() -> None:
    for part in (b"[", b'["["'):
        assert f"the body holds more than {STRUCTURE_MAX} brackets and keys" == refused(part * (STRUCTURE_MAX + 1))


@pytest.mark.parametrize("count", [KEYS_MAX + 1, 25_000])
def test_more_top_level_keys_than_any_api_has_are_refused(count: int) -> None:
    keys = b",".join(b'"k%d":{"a":1}' % number for number in range(count))
    assert f"the body has more than {KEYS_MAX} top-level keys" == refused(b"{" + keys + b"}")


def test_as_many_top_level_keys_as_are_allowed_get_in() -> None:
    assert KEYS_MAX == len(read_object(b"{" + b",".join(b'"k%d":1' % number for number in range(KEYS_MAX)) + b"}"))


def test_many_keys_below_the_top_level_get_in() -> None:
    inner = b",".join(b'"k%d":1' % number for number in range(25_000))
    assert ["a", "b"] == list(read_object(b'{"a":{' + inner + b'},"b":"::::"}'))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1,"b":2,"a":1}',
        b'{"a":12,"a":1}',
        b'{"a":1,"b":2,"a":12}',
        b'{"a":"x","b":[],"b":[]}',
        b'{ "a" : 1 , "a" : 1 }',
        b'{"\\u0061":1,"a":1}',
    ],
)
def test_a_top_level_key_that_comes_twice_is_refused(body: bytes) -> None:
    assert "comes twice" in refused(body)


@pytest.mark.parametrize("body", [b'{"\\u0061":1}', b'{"\\u0061":"      1"}', b'{"max\\u005ftokens":1}'])
def test_a_top_level_key_in_disguise_is_refused(body: bytes) -> None:
    assert refused(body).endswith("comes twice, or is written with escapes")


@given(objects.flatmap(lambda value: st.tuples(st.just(value), spelt(value))))
@settings(max_examples=25)
def test_every_value_is_kept_as_the_bytes_that_came(given_: tuple[dict[str, object], bytes]) -> None:
    value, body = given_
    # The keys' own escapes are refused at the top level, and no key of the API needs one.
    if any(json(key) != f'"{key}"'.encode() for key in value):
        assert "escapes" in refused(body) or "twice" in refused(body)
        return
    fields = read_object(body)
    at = 0
    for raw in fields.values():
        at = body.index(bytes(raw), at) + len(bytes(raw))
    assert list(value) == list(fields)


@given(st.data(), objects.filter(len))
@settings(max_examples=25)
def test_an_object_with_one_key_doubled_never_gets_in(data: st.DataObject, value: dict[str, object]) -> None:
    doubled = data.draw(st.sampled_from(sorted(value)))
    pairs = [json(key) + b":" + json(one) for key, one in value.items()]
    again = json(doubled) + b":" + json(data.draw(st.sampled_from([value[doubled], 1, 12, "", None])))
    pairs.insert(data.draw(st.integers(0, len(pairs))), again)
    assert "twice" in refused(b"{" + b",".join(pairs) + b"}")


@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
@settings(max_examples=100)
def test_bytes_of_any_kind_are_an_object_or_refused(body: bytes) -> None:
    error = refusal(lambda: read_object(body))
    assert error is None or error.code == "router_bad_json"
