"""`extends`: a preset, or a policy beside this one, with this file laid over it.

Rule: mappings are laid over each other key by key, everything else is replaced, and null takes a name
away. A rollout and tests belong to the policy that they stand in. One level: what is extended stands by itself.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from .conform import is_null
from .document import Items, Mapping, Node, Scalar, read
from .report import Page, Report, Spot, nearest, quoted

KEY = "extends"
OWN = frozenset({KEY, "tests", "rollout"})  # never inherited
SUFFIXES = (".yaml", ".yml")


def extended(
    policy: Path, root: Mapping, page: Page, presets: Path, report: Report
) -> tuple[Page, Mapping, Path | None]:
    """The policy's tree with what it extends beneath it, and the file that it extends. Raises PolicyError."""
    named = root.pairs.get(KEY)
    if named is None or is_null(named[1]):
        return page, root, None
    value = named[1]
    if not isinstance(value, Scalar) or not value.text:
        return page, root, None  # of the wrong type: conform.py says so
    path = _found(policy, value.text, presets)
    if path is None:
        known = sorted(_names(presets) | _names(policy.parent / "presets"))
        message = f"no preset is called {quoted(value.text)}{nearest(value.text, known)}; there are: {', '.join(known)}"
        report.error(page, value.spot, f"{message} (or name a .yaml file beside this one)")
        report.raise_errors()  # without it every other error would be about what is missing
    assert path is not None, "what is not found is told"
    base_page, base = read(path, report)
    if base is None:
        report.raise_errors()
    assert base is not None, "what is not read is told"
    page = page._replace(base=base_page)
    if KEY in base.pairs:
        spot = _moved(base).pairs[KEY][0].spot
        report.error(page, spot, "what is extended must stand by itself: a policy extends one other, not a chain")
    return page, _over(_without(_moved(base), OWN), root), path


def _found(policy: Path, name: str, presets: Path) -> Path | None:
    if name.endswith(SUFFIXES):
        return policy.parent / name
    if Path(name).name != name:
        return None
    places = (policy.parent / "presets", policy.parent, presets)
    return next((place / f"{name}.yaml" for place in places if (place / f"{name}.yaml").is_file()), None)


def _names(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.yaml")}


def _over(base: Mapping, own: Mapping) -> Mapping:
    pairs = dict(base.pairs)
    for name, (key, value) in own.pairs.items():
        below = pairs.get(name)
        if below is not None and is_null(value):
            del pairs[name]
        elif below is not None and isinstance(below[1], Mapping) and isinstance(value, Mapping):
            pairs[name] = (key, _over(below[1], value))
        else:
            pairs[name] = (key, value)
    return Mapping(own.spot, pairs)


def _without(root: Mapping, names: frozenset[str]) -> Mapping:
    return Mapping(root.spot, {name: pair for name, pair in root.pairs.items() if name not in names})


def _moved(node: Mapping) -> Mapping:
    """The same tree, whose every spot says that it is in the file that is extended."""
    moved = _marked(node)
    assert isinstance(moved, Mapping), "a mapping stays one"
    return moved


def _marked(node: Node) -> Node:
    spot = Spot(*node.spot[:3], True)
    match node:
        case Mapping():
            return Mapping(spot, {name: (_key(key), _marked(child)) for name, (key, child) in node.pairs.items()})
        case Items():
            return Items(spot, [_marked(child) for child in node.values])
        case _:
            return msgspec.structs.replace(node, spot=spot)


def _key(key: Scalar) -> Scalar:
    return msgspec.structs.replace(key, spot=Spot(*key.spot[:3], True))
