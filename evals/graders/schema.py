"""The answer is JSON that fits a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import jsonschema_rs
from msgspec import Meta

from ..vocabulary import Answered, Case, Grade
from .form import Flaw, Options, Place, Plain, verdict
from .wording import NOTHING, json_in, json_of


class SchemaOptions(Options, frozen=True, kw_only=True):
    kind: Literal["schema"]
    schema: Annotated[dict[str, Any], Meta(description="The JSON Schema that every answer must fit.")]
    bare: Annotated[bool, Meta(description="Nothing but the JSON may stand in the answer.")] = False


class Schema(Plain):
    """`expected`: true (it fits), or a JSON Schema of the case's own that the answer must fit too."""

    def __init__(self, options: SchemaOptions, _place: Place) -> None:
        self._options = options

    def flaws(self) -> Iterator[Flaw]:
        wrong = _wrong_with(self._options.schema)
        if wrong is not None:
            yield Flaw(("schema",), f"is no JSON Schema: {wrong}")

    def misfit(self, expected: Any) -> str | None:
        if expected is True:
            return None
        wrong = _wrong_with(expected) if isinstance(expected, dict) else "neither true nor an object"
        return None if wrong is None else f"takes true, or a JSON Schema: {wrong}"

    def perfect(self, expected: Any) -> str | None:
        return None

    async def grade(self, case: Case, answer: Answered) -> Grade:
        return self.compare(case.expected, answer.text)

    def compare(self, expected: Any, text: str) -> Grade:
        value = json_in(text)
        if value is NOTHING:
            return verdict(False, "no JSON in the answer" if text.strip() else "the answer is empty")
        if self._options.bare and json_of(text.strip()) is NOTHING:
            return verdict(False, "more than JSON stands in the answer")
        for schema in (self._options.schema, expected):
            error = None if schema is True else next(iter(_validator(schema).iter_errors(value)), None)
            if error is not None:
                place = "/".join(str(step) for step in error.instance_path)
                return verdict(False, f"does not fit the schema{f' at {place}' if place else ''}")
        return verdict(True, "")


def _validator(schema: dict[str, Any]) -> Any:
    return jsonschema_rs.validator_for(schema, retriever=_nothing_is_fetched)


def _wrong_with(schema: dict[str, Any]) -> str | None:
    try:
        _validator(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        return str(error).splitlines()[0]
    return None


def _nothing_is_fetched(uri: str) -> Any:
    raise ValueError(f"the schema refers to {uri}; put it into the suite")
