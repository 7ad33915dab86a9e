"""A template is filled in with what the case says, as it is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.template import filled, named_in


@pytest.mark.parametrize(
    ("template", "fields", "text"),
    [
        ("Ticket: {input}", {"input": "hello"}, "Ticket: hello"),
        ("{a}{b}{a}", {"a": "1", "b": "2"}, "121"),
        ('Give {{"x": {input}}}', {"input": "1"}, 'Give {"x": 1}'),
        ("{input}", {"input": "{input} {{ {x} }} {"}, "{input} {{ {x} }} {"),
        ("{{{input}}}", {"input": "x"}, "{x}"),
    ],
)
def test_fields_go_in_verbatim_and_doubled_braces_are_braces(
    template: str, fields: Mapping[str, str], text: str
) -> None:
    assert text == filled(template, fields)


@given(st.text())
def test_any_text_of_a_case_comes_out_as_it_is(text: str) -> None:
    assert f"<{text}>" == filled("<{input}>", {"input": text})


@given(st.text())
def test_any_text_is_a_template_once_its_braces_are_doubled(text: str) -> None:
    template = text.replace("{", "{{").replace("}", "}}")
    assert ((), ()) == named_in(template)
    assert text == filled(template, {})


def test_what_is_no_field_is_found_with_its_place() -> None:
    names, broken = named_in("{ok} {not ok} } {")
    assert [("ok", 0)] == [tuple(one) for one in names]
    assert [5, 14, 16] == [one.at for one in broken]
