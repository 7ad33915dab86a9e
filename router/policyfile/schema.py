"""policy.schema.json and the reference of docs/policies.md, made from the records of decide/policy.py.

    python -m router.policyfile.schema      writes both

Rule: a key is described once, in its record; editors, the documentation and the errors all read it there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from ..decide.policy import Policy
from .loading import BUNDLED

SCHEMA = BUNDLED / "policy.schema.json"
REFERENCE = BUNDLED.parent / "docs" / "policies.md"
BEGIN = "<!-- reference: written by `python -m router.policyfile.schema` -->"
END = "<!-- end of reference -->"


def schema_text() -> str:
    """The JSON Schema that editors complete and check a policy with."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tierwise policy",
        **msgspec.json.schema(Policy),
    }
    for record in _records(inspect.type_info(Policy)):
        properties = schema["$defs"][record.cls.__name__]["properties"]
        for field in record.fields:
            _complete(properties[field.encode_name], _bare(field.type))
    # A policy that extends another has that one's tiers.
    policy = schema["$defs"]["Policy"]
    policy["required"].remove("tiers")
    policy["anyOf"] = [{"required": ["tiers"]}, {"required": ["extends"]}]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _complete(schema: dict[str, Any], kind: inspect.Type) -> None:
    """What the generator leaves out: closed sets of keys, a single text for a list of one, null to take away."""
    if isinstance(kind, inspect.DictType):
        if isinstance(kind.key_type, inspect.LiteralType):
            schema["propertyNames"] = {"enum": list(kind.key_type.values)}
        inner = schema.get("additionalProperties")
        if isinstance(inner, dict) and isinstance(_bare(kind.value_type), inspect.VarTupleType):
            schema["additionalProperties"] = _or_one(inner)
        elif isinstance(inner, dict) and not isinstance(_bare(kind.value_type), inspect.AnyType):
            schema["additionalProperties"] = {"anyOf": [inner, {"type": "null"}]}
    elif isinstance(kind, inspect.VarTupleType) and _is_word(kind.item_type):
        listing: dict[str, Any] = {name: schema.pop(name) for name in ("type", "items") if name in schema}
        schema.update(_or_one(listing))


def _or_one(listing: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [listing, listing["items"]]}


def _is_word(kind: inspect.Type) -> bool:
    return isinstance(_bare(kind), inspect.StrType | inspect.LiteralType)


def examples() -> Iterator[tuple[str, object]]:
    """Every key that is a value of its own, as `tiers.*.model`, with its example."""
    kind = inspect.type_info(Policy)
    for path, record in [("", kind), *_sections(kind, "")]:
        assert isinstance(record, inspect.StructType)
        for field in record.fields:
            shown = _example(field.type)
            if shown is not None:
                yield f"{path}.{field.encode_name}".lstrip("."), shown[0]


def reference_text() -> str:
    """Every key of a policy, once: its type, its default and what it means."""
    parts = [_table("The file", inspect.type_info(Policy))]
    parts += [_table(f"`{path}`", record) for path, record in _sections(inspect.type_info(Policy), "")]
    return "\n\n".join(parts)


def with_reference(page: str) -> str:
    """The page with its reference, between the two marks, made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference_text()}\n\n{END}{after}"


def write(schema: Path = SCHEMA, reference: Path = REFERENCE) -> None:
    schema.write_text(schema_text(), encoding="utf-8")
    reference.write_text(with_reference(reference.read_text(encoding="utf-8")), encoding="utf-8")


def key_paths() -> Iterator[str]:
    """Every key that a policy can hold, as `tiers.*.model`."""
    kind = inspect.type_info(Policy)
    for path, record in [("", kind), *_sections(kind, "")]:
        assert isinstance(record, inspect.StructType)
        yield from (f"{path}.{field.encode_name}".lstrip(".") for field in record.fields)


def _table(title: str, record: inspect.Type) -> str:
    assert isinstance(record, inspect.StructType)
    rows = ["| Key | Takes | Default | Meaning | Example |", "|---|---|---|---|---|"]
    for field in record.fields:
        meaning = _description(field.type)
        cells = (f"`{field.encode_name}`", _takes(field.type), _default(field), meaning, _shown(field))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return f"### {title}\n\n" + "\n".join(rows)


def _sections(record: inspect.Type, path: str) -> Iterator[tuple[str, inspect.StructType]]:
    """Each record inside this one, with the path that leads to it; `*` is a name of the operator's."""
    if not isinstance(record, inspect.StructType):
        return
    for field in record.fields:
        kind, here = _bare(field.type), f"{path}.{field.encode_name}".lstrip(".")
        if isinstance(kind, inspect.DictType):
            kind, here = _bare(kind.value_type), f"{here}.*"
        elif isinstance(kind, inspect.VarTupleType):
            kind, here = _bare(kind.item_type), f"{here}[]"
        if isinstance(kind, inspect.StructType):
            yield here, kind
            yield from _sections(kind, here)


def _records(record: inspect.Type) -> Iterator[inspect.StructType]:
    assert isinstance(record, inspect.StructType)
    yield record
    yield from (inner for _, inner in _sections(record, ""))


def _bare(kind: inspect.Type) -> inspect.Type:
    """Without its description, and without `or null`."""
    if isinstance(kind, inspect.Metadata):
        return _bare(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _bare(next(option for option in kind.types if not isinstance(option, inspect.NoneType)))
    return kind


def _takes(kind: inspect.Type) -> str:
    bare = _bare(kind)
    words = _words(bare)
    inner = kind.type if isinstance(kind, inspect.Metadata) else kind
    return f"{words}, or null" if isinstance(inner, inspect.UnionType) else words


def _words(bare: inspect.Type) -> str:
    match bare:
        case inspect.LiteralType():
            return " ".join(f"`{value}`" for value in bare.values)
        case inspect.DictType():
            return f"{_words(_bare(bare.key_type))}, each: {_words(_bare(bare.value_type))}"
        case inspect.VarTupleType():
            return f"{_words(_bare(bare.item_type))}, or a list" if _is_word(bare.item_type) else "list, see below"
        case inspect.AnyType():
            return "anything"
        case inspect.DecimalType():
            return "USD"
        case inspect.IntType() | inspect.FloatType():
            return _number(bare)
        case inspect.StrType():
            return "name" if bare.pattern is not None else "text"
        case inspect.BoolType():
            return "`true` `false`"
        case _:
            return "keys, see below"


def _number(kind: inspect.IntType | inspect.FloatType) -> str:
    name = "whole number" if isinstance(kind, inspect.IntType) else "number"
    bounds = (("≥", kind.ge), (">", kind.gt), ("≤", kind.le), ("<", kind.lt))
    return " ".join([name, *(f"{sign} {bound:,}" for sign, bound in bounds if bound is not None)])


def _default(field: inspect.Field) -> str:
    if field.required:
        return "required"
    if isinstance(_bare(field.type), inspect.StructType) and field.default is not None:
        return "see below"
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return f"`{json.dumps(msgspec.to_builtins(default))}`"


def _shown(field: inspect.Field) -> str:
    """The example as it is written in a policy; every one of them is loaded by a test."""
    shown = _example(field.type)
    return "" if shown is None else f"`{field.encode_name}: {_flow(shown[0])}`"


def _flow(value: object) -> str:
    """A value in YAML's flow style, which is how a person would write it on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}: {_flow(child)}" for name, child in value.items()) + "}"
        case list():
            return "[" + ", ".join(_flow(child) for child in value) + "]"
        case str() if re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", value) and value not in ("off", "on", "yes", "no"):
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def _example(kind: inspect.Type) -> list[object] | None:
    described = kind.extra_json_schema if isinstance(kind, inspect.Metadata) else None
    found = (described or {}).get("examples")
    return found if isinstance(found, list) else None


def _description(kind: inspect.Type) -> str:
    described = kind.extra_json_schema if isinstance(kind, inspect.Metadata) else None
    return re.sub(r"\s+", " ", str((described or {}).get("description", "")))


if __name__ == "__main__":
    write()
