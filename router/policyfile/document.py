"""A YAML file as a tree of mappings, sequences and scalars that know where they stand.

Rule: plain data only. Tags, anchors, aliases, merge keys, directives, a second document, a repeated
key, depth and size beyond the limits are refused while the parser still reads, so nothing can grow.
Scalars stay text here: conform.py knows which type each place takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from ruamel.yaml import YAML, events
from ruamel.yaml.error import YAMLError

from .report import Page, Report, Spot

BYTES_MAX = 1024 * 1024
DEPTH_MAX = 32


class Scalar(msgspec.Struct, frozen=True):
    """A value as text. `plain`: written without quotes, so that 1 is a number and "1" is text."""

    spot: Spot
    text: str
    plain: bool


class Items(msgspec.Struct, frozen=True):
    """A sequence."""

    spot: Spot
    values: list[Node] = []


class Mapping(msgspec.Struct, frozen=True):
    """A mapping; every key is a scalar and appears once."""

    spot: Spot
    pairs: dict[str, tuple[Scalar, Node]] = {}


Node = Scalar | Items | Mapping


class Refused(Exception):
    """The text cannot be read on from here."""

    def __init__(self, spot: Spot, message: str) -> None:
        super().__init__(message)
        self.spot = spot
        self.message = message


def read(path: Path, report: Report) -> tuple[Page, Mapping | None]:
    """The file and its tree; None when it cannot be read, with the reason in the report."""
    text = _text(path, report)
    if text is None:
        return Page(str(path)), None
    page = Page(str(path), text.splitlines() or [""])
    try:
        root = _tree(text, page, report)
    except Refused as refused:
        report.error(page, refused.spot, refused.message)
        return page, None
    if not isinstance(root, Mapping):
        report.error(
            page, root.spot if root else Spot(0, 0), "the file must hold keys and values, such as `version: 1`"
        )
        return page, None
    return page, root


def find(root: Mapping, *path: str | int, key: bool = False) -> Spot:
    """Where the value at `path` stands (or its key), or the nearest thing around it that was written."""
    node: Node = root
    spot = root.spot
    for step in path:
        if isinstance(node, Mapping) and step in node.pairs:
            named, node = node.pairs[str(step)]
            spot = named.spot if key or not isinstance(node, Scalar) else node.spot
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.values):
            node = node.values[step]
            spot = node.spot
        else:
            return spot
    return spot


def _text(path: Path, report: Report) -> str | None:
    page = Page(str(path))
    try:
        with path.open("rb") as file:
            body = file.read(BYTES_MAX + 1)
    except OSError as problem:
        report.error(page, Spot(0, 0), f"cannot be read: {problem.strerror or problem}")
        return None
    if len(body) > BYTES_MAX:
        report.error(
            page, Spot(0, 0), f"is larger than {BYTES_MAX // (1024 * 1024)} MB, the most a policy file may have"
        )
        return None
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        before = body[: problem.start].decode("utf-8", "replace")
        line = before.count("\n") + 1
        report.error(page, Spot(0, 0), f"line {line} is not UTF-8 (byte {problem.start}); save the file as UTF-8")
        return None


def _events(text: str) -> Iterator[events.Event]:
    """The parser's events; everything it can raise becomes one kind of refusal."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except YAMLError as problem:
        mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
        words = getattr(problem, "problem", None) or getattr(problem, "reason", None) or "cannot be read"
        raise Refused(_spot_of(mark), f"this is not YAML: {words}{_cure(str(words))}") from problem
    except (ValueError, OverflowError, AssertionError, IndexError, AttributeError, TypeError) as problem:
        raise Refused(Spot(0, 0), f"this is not YAML: {type(problem).__name__} in the parser") from problem


def _cure(words: str) -> str:
    if "\\t" in words:
        return "; indent with spaces, never with tabs"
    if "mapping values are not allowed" in words:
        return "; put quotes around a text that has a colon in it, and check the indentation"
    return ""


def _spot_of(mark: object, end: object = None) -> Spot:
    if mark is None:
        return Spot(0, 0)
    line, column = getattr(mark, "line", 0), getattr(mark, "column", 0)
    same_line = end is not None and getattr(end, "line", -1) == line
    return Spot(line, column, max(1, getattr(end, "column", 0) - column) if same_line else 1)


class _Builder:
    """Puts events together to a tree, without recursion."""

    def __init__(self, page: Page, report: Report) -> None:
        self._page = page
        self._report = report
        self._open: list[Items | Mapping] = []
        self._keys: list[Scalar | None] = []  # of each open mapping, the key that waits for its value
        self.root: Node | None = None

    def begin(self, node: Items | Mapping) -> None:
        self._place(node)
        if len(self._open) >= DEPTH_MAX:
            raise Refused(node.spot, f"nested deeper than {DEPTH_MAX} levels")
        self._open.append(node)
        self._keys.append(None)

    def end(self) -> None:
        self._open.pop()
        self._keys.pop()

    def scalar(self, node: Scalar) -> None:
        if self._open and isinstance(self._open[-1], Mapping) and self._keys[-1] is None:
            self._key(node)
        else:
            self._place(node)

    def _key(self, key: Scalar) -> None:
        if key.text == "<<":
            raise Refused(key.spot, "merge keys (`<<`) are not part of the policy language; write the keys out")
        self._keys[-1] = key

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        holder, key = self._open[-1], self._keys[-1]
        if isinstance(holder, Items):
            holder.values.append(node)
            return
        if key is None:
            raise Refused(node.spot, "a key must be a single word, not a list or a mapping")
        self._keys[-1] = None
        if key.text in holder.pairs:
            first = holder.pairs[key.text][0].spot.line + 1
            self._report.error(self._page, key.spot, f"the key `{key.text}` is already on line {first}; remove one")
            return
        holder.pairs[key.text] = (key, node)


def _tree(text: str, page: Page, report: Report) -> Node | None:
    builder = _Builder(page, report)
    documents = 0
    for event in _events(text):
        spot = _spot_of(event.start_mark, event.end_mark)
        _refuse_what_is_not_data(event, spot)
        match event:
            case events.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise Refused(spot, "a second document begins here (`---`); one file holds one policy")
            case events.ScalarEvent():
                builder.scalar(Scalar(spot, _sound(event.value, spot), bool(event.implicit[0])))
            case events.SequenceStartEvent():
                builder.begin(Items(_spot_of(event.start_mark), []))
            case events.MappingStartEvent():
                builder.begin(Mapping(_spot_of(event.start_mark), {}))
            case events.SequenceEndEvent() | events.MappingEndEvent():
                builder.end()
    return builder.root


def _refuse_what_is_not_data(event: events.Event, spot: Spot) -> None:
    if isinstance(event, events.AliasEvent):
        raise Refused(spot, "aliases (`*name`) are not part of the policy language; write the value out")
    if isinstance(event, events.DocumentStartEvent) and (event.version or event.tags):
        raise Refused(spot, "directives (`%...`) are not part of the policy language; remove the line")
    if getattr(event, "anchor", None) is not None:
        raise Refused(spot, "anchors (`&name`) are not part of the policy language; remove it")
    if getattr(event, "ctag", None) is not None:
        raise Refused(spot, "tags (`!name`) are not part of the policy language; remove it")


def _sound(text: str, spot: Spot) -> str:
    """Text that can be written as UTF-8 again: an escape can name half a character."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused(spot, "an escape names half of a character (a lone surrogate)")
    return text
