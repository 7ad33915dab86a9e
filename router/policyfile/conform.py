"""A tree held against the records of decide/policy.py: what is unknown, missing, of the wrong type or out of bounds.

Rule: the records say what is allowed (msgspec.inspect reads them); nothing about any one key is written
here. What is wrong is reported and left out, so that the checks that follow still see the rest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping as AnyMapping
from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import inspect

from .document import Items, Mapping, Node, Scalar
from .report import Page, Report, Spot, listed, nearest, quoted

Record = TypeVar("Record", bound=msgspec.Struct)

# The core schema of YAML 1.2 (section 10.3.2), decimal only: `no`, `on` and 12:30 are text.
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,3})?")
_MONEY = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")


class _Unusable:
    """What stands where a value was wrong; whatever holds it leaves it out."""


UNUSABLE = _Unusable()


def conform(root: Mapping, kind: type[Record], page: Page, report: Report) -> Record | None:
    """The record that the tree describes, without what is wrong in it; None when too little is left."""
    value = _Walk(page, report).value(root, inspect.type_info(kind), "the file", Spot(0, 0))
    return None if isinstance(value, _Unusable) else msgspec.convert(value, kind)


class _Walk:
    def __init__(self, page: Page, report: Report) -> None:
        self._page = page
        self._report = report

    def value(self, node: Node, kind: inspect.Type, where: str, key: Spot) -> object:
        """The node as plain data of this type. `where` names the place, `key` is where its name stands."""
        if isinstance(node, Scalar) and node.plain and not node.text:
            node = msgspec.structs.replace(node, spot=key)  # nothing stands nowhere: point at its name
        match kind:
            case inspect.Metadata():
                return self.value(node, kind.type, where, key)
            case inspect.UnionType():
                return self._optional(node, kind, where, key)
            case inspect.StructType():
                return self._struct(node, kind, where, key)
            case inspect.DictType():
                return self._dict(node, kind, where, key)
            case inspect.VarTupleType():
                return self._items(node, kind, where)
            case inspect.AnyType():
                return _anything(node)
            case _:
                return self._scalar(node, kind, where)

    def _wrong(self, spot: Spot, message: str) -> _Unusable:
        self._report.error(self._page, spot, message)
        return UNUSABLE

    def _optional(self, node: Node, kind: inspect.UnionType, where: str, key: Spot) -> object:
        if is_null(node):
            return None
        (present,) = (option for option in kind.types if not isinstance(option, inspect.NoneType))
        return self.value(node, present, where, key)

    def _struct(self, node: Node, kind: inspect.StructType, where: str, key: Spot) -> object:
        fields = {field.encode_name: field for field in kind.fields}
        if not isinstance(node, Mapping):
            return self._wrong(node.spot, f"{where} takes keys and values ({listed(fields)}), not {_shape(node)}")
        data: dict[str, object] = {}
        for name, (named, child) in node.pairs.items():
            if name not in fields:
                self._wrong(named.spot, self._unknown(name, fields, where))
                continue
            value = self.value(child, fields[name].type, f"`{name}`", named.spot)
            if not isinstance(value, _Unusable):
                data[name] = value
        for name, field in fields.items():
            if field.required and name not in node.pairs:
                self._wrong(key, f"{where} needs the key `{name}`{_meaning(field.type)}")
        return data if all(name in data for name, field in fields.items() if field.required) else UNUSABLE

    def _unknown(self, name: str, fields: AnyMapping[str, inspect.Field], where: str) -> str:
        return f"unknown key {quoted(name)} in {where}{nearest(name, fields)}; allowed: {listed(fields)}"

    def _dict(self, node: Node, kind: inspect.DictType, where: str, key: Spot) -> object:
        if not isinstance(node, Mapping):
            return self._wrong(node.spot, f"{where} takes names, each with its value, not {_shape(node)}")
        data: dict[str, object] = {}
        for name, (named, child) in node.pairs.items():
            checked = self._scalar(
                msgspec.structs.replace(named, plain=False), _bare(kind.key_type), f"a key of {where}"
            )
            value = self.value(child, kind.value_type, f"{where[:-1]}.{name}`", named.spot)
            if not isinstance(checked, _Unusable) and not isinstance(value, _Unusable):
                data[name] = value
        if not node.pairs and kind.min_length:
            return self._wrong(key, f"{where} must hold at least {kind.min_length}")
        return data if len(data) >= (kind.min_length or 0) else UNUSABLE

    def _items(self, node: Node, kind: inspect.VarTupleType, where: str) -> object:
        if isinstance(node, Scalar) and not is_null(node) and _is_word(kind.item_type):
            node = Items(node.spot, [node])  # a single text is a list of one
        if not isinstance(node, Items):
            return self._wrong(node.spot, f"{where} takes a list, such as [a, b], not {_shape(node)}")
        values = [self.value(item, kind.item_type, f"an entry of {where}", item.spot) for item in node.values]
        return [value for value in values if not isinstance(value, _Unusable)]

    def _scalar(self, node: Node, kind: inspect.Type, where: str) -> object:
        kind = _bare(kind)
        value = _read(node, kind) if isinstance(node, Scalar) else UNUSABLE
        if isinstance(value, _Unusable):
            return self._wrong(node.spot, f"{where} takes {_expected(kind)}, not {_shape(node)}{_cure(node, kind)}")
        return value


def _anything(node: Node) -> object:
    """Plain data of whatever type it is written as: a JSON Schema, the body of a test's request."""
    match node:
        case Mapping():
            return {name: _anything(child) for name, (_, child) in node.pairs.items()}
        case Items():
            return [_anything(child) for child in node.values]
        case _:
            return _resolved(node)


def _resolved(node: Scalar) -> object:
    """A scalar by the core schema of YAML."""
    if not node.plain:
        return node.text
    if _NULL.fullmatch(node.text):
        return None
    if _INT.fullmatch(node.text):
        return int(node.text)
    if _FLOAT.fullmatch(node.text) and math.isfinite(float(node.text)):
        return float(node.text)
    return _BOOL.get(node.text, node.text)


def _is_word(kind: inspect.Type) -> bool:
    return isinstance(_bare(kind), inspect.StrType | inspect.LiteralType)


def _bare(kind: inspect.Type) -> inspect.Type:
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and _NULL.fullmatch(node.text) is not None


def _read(node: Scalar, kind: inspect.Type) -> object:
    """The scalar as this type, or UNUSABLE. Quoted, it is text whatever it looks like."""
    match kind:
        case inspect.StrType():
            return _text(node, kind)
        case inspect.LiteralType():
            return _literal(node, kind)
        case inspect.DecimalType():
            return Decimal(node.text) if _MONEY.fullmatch(node.text) else UNUSABLE
        case inspect.BoolType() | inspect.IntType() | inspect.FloatType():
            return _plain(node.text, kind) if node.plain else UNUSABLE
        case _:
            raise TypeError(f"policy records hold a type that conform.py cannot check yet: {kind}")


def _plain(text: str, kind: inspect.BoolType | inspect.IntType | inspect.FloatType) -> object:
    if isinstance(kind, inspect.BoolType):
        return _BOOL.get(text, UNUSABLE)
    is_whole = isinstance(kind, inspect.IntType)
    if not (_INT if is_whole else _FLOAT).fullmatch(text):
        return UNUSABLE
    number = int(text) if is_whole else float(text)
    return number if math.isfinite(number) and _within(number, kind) else UNUSABLE


def _text(node: Scalar, kind: inspect.StrType) -> object:
    looks_typed = node.text in _BOOL or _NULL.fullmatch(node.text) or _FLOAT.fullmatch(node.text)
    if node.plain and looks_typed:
        return UNUSABLE
    # fullmatch: `$` alone would let a last line break through.
    return node.text if kind.pattern is None or re.fullmatch(kind.pattern, node.text) else UNUSABLE


def _literal(node: Scalar, kind: inspect.LiteralType) -> object:
    for value in kind.values:
        if str(value) == node.text and (isinstance(value, str) or node.plain):
            return value
    return UNUSABLE


def _bounds(kind: inspect.IntType | inspect.FloatType) -> dict[str, float | None]:
    return {"at least": kind.ge, "more than": kind.gt, "at most": kind.le, "less than": kind.lt}


def _within(number: float, kind: inspect.IntType | inspect.FloatType) -> bool:
    lowest_ok = (kind.ge is None or number >= kind.ge) and (kind.gt is None or number > kind.gt)
    return lowest_ok and (kind.le is None or number <= kind.le) and (kind.lt is None or number < kind.lt)


def _expected(kind: inspect.Type) -> str:
    match kind:
        case inspect.LiteralType():
            return f"one of {listed(kind.values)}" if len(kind.values) > 1 else f"only {kind.values[0]}"
        case inspect.StrType(pattern=pattern) if pattern is not None:
            if pattern.startswith("^[a-z]{2,3}"):
                return "a language's code, such as de, fr or pt-BR"
            return "a name (a lower-case letter, then lower-case letters, digits, - and _, at most 64)"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType():
            limits = [f"{words} {bound:,}" for words, bound in _bounds(kind).items() if bound is not None]
            number = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
            return " of ".join([number, " and ".join(limits)]) if limits else number
        case inspect.DecimalType():
            return "an amount of USD such as 0.10"
        case _:
            return "text"


def _shape(node: Node) -> str:
    match node:
        case Scalar() if is_null(node):
            return "nothing (remove the key to keep its default)"
        case Scalar():
            return quoted(node.text)
        case Items():
            return "a list"
        case _:
            return "keys and values"


def _cure(node: Node, kind: inspect.Type) -> str:
    if not isinstance(node, Scalar) or is_null(node):
        return ""
    if isinstance(kind, inspect.LiteralType):
        return nearest(node.text, [str(value) for value in kind.values])
    if isinstance(kind, inspect.StrType) and kind.pattern is None:
        return f'; put quotes around it: "{node.text}"'
    unquoted = msgspec.structs.replace(node, plain=True)
    if not node.plain and not isinstance(_read(unquoted, kind), _Unusable):
        return "; remove the quotes"
    return ""


def _meaning(kind: inspect.Type) -> str:
    """The description that the record gives the key."""
    described = kind.extra_json_schema if isinstance(kind, inspect.Metadata) else None
    return f": {described['description']}" if described and "description" in described else ""
