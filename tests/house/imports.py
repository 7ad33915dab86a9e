"""Who may import what: the six lines of the design ("What never imports what"), as tables and a walk.

Rule: a new room is a new row in a table here, with its reason; nothing is allowed by being forgotten.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from tests.house.source import Complaint, Module

NOUNS = frozenset({"vocabulary", "errors"})
PURE = frozenset({"decide", "wire"})
EDGES = frozenset({"upstream", "memory", "ledger", "api", "standin"})
EDGE_KNOWS = frozenset({"wire", "decide.policy", "ports"}) | NOUNS
ANYTHING = frozenset({"*"})

MACHINES = ("spend", "breaker", "crowd", "pace", "ratelimits", "retrying", "likeness", "replies")
# A room, and what of ours it may import besides itself. A top-level module that is not named here is a part
# of the story (pipeline, dispatch, relay and the steps they are made of).
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "vocabulary": frozenset(),
    "errors": frozenset({"vocabulary"}),
    "ports": NOUNS | {"decide.policy"},
    "clock": frozenset(),
    "settings": frozenset({"errors"}),
    # It compiles the rules that decisions walk, weighs the measurements that they look up, and holds what is promised
    # against what is said.
    "policyfile": EDGE_KNOWS
    | {
        "decide.rules",
        "decide.evidence",
        "decide.gate",
        "decide.gate_file",
        "decide.language",
        "decide.contract",
        "decide.fallback",
    },
    "telemetry": EDGE_KNOWS,
    "steering": EDGE_KNOWS | {"policyfile", "decide.rollout", "decide.alarm", "decide.spend"},
    "decide": PURE | NOUNS,
    "wire": PURE | NOUNS,
    "api": EDGE_KNOWS | {"the story"},
    "app": ANYTHING,
    "cli": ANYTHING,
    "__main__": frozenset({"cli"}),
    # What it counts, and the machines that it drives: each is a pure step function over what is remembered.
    "memory": EDGE_KNOWS | {f"decide.{one}" for one in MACHINES},
} | dict.fromkeys(EDGES - {"api", "memory"}, EDGE_KNOWS)
STORY_KNOWS = PURE | NOUNS | {"ports", "the story"}
ONLY_THE_CLI = frozenset({"app", "cli", "__main__"})  # what nothing else imports

# A library, the places that may import it, and the cure.
OUTSIDE: Mapping[str, tuple[frozenset[str], str]] = {
    name: (frozenset(places), cure)
    for names, places, cure in (
        (("anthropic", "httpx2", "httpx", "aiohttp"), {"upstream", "evals"}, "Talk to the API through ports.Upstream"),
        (("litestar",), {"api", "standin", "app"}, "Keep HTTP in api/ and hand the story bytes and nouns"),
        (("time", "random", "secrets"), {"clock"}, "Take a ports.Clock, or the time and the dice as arguments"),
        (("pydantic_settings", "dotenv"), {"settings"}, "Take a Settings, or the value itself, as an argument"),
        (
            ("apsw", "psycopg", "asyncpg", "redis"),
            {"ledger", "memory"},
            "Go through ports.Ledger or a memory",
        ),
        # In a process of its own, on a database that is made for one answer and gone with it.
        (("sqlite3",), {"ledger", "memory", "evals.sandbox.queries"}, "Go through ports.Ledger or a memory"),
    )
    for name in names
}
PURE_NEVER = frozenset(OUTSIDE) | {"os", "asyncio", "anyio", "logging", "pathlib", "socket"}
OPTIONAL_EXTRAS = frozenset({"psycopg", "redis", "py3langid"})  # may be imported inside a function, to stay optional


@dataclass(frozen=True)
class Import:
    """One imported module, and where: `inner` is inside a function."""

    target: str
    line: int
    inner: bool


def complaints(modules: tuple[Module, ...]) -> list[Complaint]:
    """Everything in the modules of router/ and evals/ that breaks an import rule."""
    known = frozenset(module.name for module in modules)
    found: list[Complaint] = []
    graph: dict[str, set[str]] = {}
    for module in modules:
        imports = tuple(imports_of(module, known))
        graph[module.name] = {one.target for one in imports if one.target in known} - {module.name}
        found += [complaint for one in imports for complaint in _judge(module, one)]
        found += _environment(module)
    return found + _cycles(modules, graph)


def imports_of(module: Module, known: frozenset[str]) -> Iterator[Import]:
    """Every import of a module, those for typing and those inside functions included, as absolute names."""
    inner = {
        id(node)
        for function in ast.walk(module.tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(module, node)
            names = [f"{source}.{alias.name}" for alias in node.names]
            targets = [name if name in known else source for name in names]
        else:
            continue
        yield from (Import(target, node.lineno, id(node) in inner) for target in dict.fromkeys(targets))


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    climb = node.level - 1 if module.is_package else node.level
    parts = module.name.split(".")[: -climb or None]
    return ".".join([*parts, node.module] if node.module else parts)


def room_of(name: str) -> str:
    """The part of a module's name that the tables speak of: `router.decide.tier` is in `decide`."""
    top, _, rest = name.partition(".")
    return top if top != "router" else rest.partition(".")[0]


def _judge(module: Module, one: Import) -> Iterator[Complaint]:
    top = one.target.partition(".")[0]
    room = room_of(module.name)
    if one.inner and top not in OPTIONAL_EXTRAS:
        yield module.complaint(one.line, f"imports {one.target} inside a function", "Move it to the top of the file")
    if top == "tests" or (top == "evals" and room != "evals"):
        yield module.complaint(one.line, f"imports {one.target}", "Nobody imports evals or tests; move what is shared")
    if top == "router" and room != "evals" and not _allowed(room, one.target):
        yield module.complaint(
            one.line,
            f"{room or 'router'} imports {one.target}",
            "Rooms meet in app/ only: take a port (ports.py) or a noun (vocabulary.py) as an argument instead",
        )
    if room in PURE and top in PURE_NEVER:
        yield module.complaint(
            one.line, f"{room}/ imports {top}", "This room is pure: take what it would read as an argument"
        )
    elif top in OUTSIDE and not {room, module.name} & OUTSIDE[top][0]:
        places, cure = OUTSIDE[top]
        yield module.complaint(one.line, f"imports {top}, which only {', '.join(sorted(places))} may", cure)


def _allowed(room: str, target: str) -> bool:
    """Whether a room may import a module of ours. The bare package `router` only has the version."""
    wanted = room_of(target)
    inside = target.removeprefix("router.")
    if wanted in (room, ""):
        return True
    rules = MAY_IMPORT.get(room, STORY_KNOWS)
    if wanted in ONLY_THE_CLI:
        return wanted in rules or (room == "cli" and wanted == "app")
    return bool({"*", wanted, inside} & rules) or ("the story" in rules and wanted not in MAY_IMPORT)


def _environment(module: Module) -> Iterator[Complaint]:
    """The environment is read in settings.py only: `os.environ`, `os.getenv` and their imports."""
    if room_of(module.name) == "settings":
        return
    readers = frozenset({"environ", "environb", "getenv", "putenv"})
    for node in ast.walk(module.tree):
        by_name = isinstance(node, ast.ImportFrom) and node.module == "os" and {a.name for a in node.names} & readers
        by_attribute = isinstance(node, ast.Attribute) and node.attr in readers and ast.unparse(node.value) == "os"
        if by_name or by_attribute:
            yield module.complaint(
                getattr(node, "lineno", 1),
                "reads the environment",
                "Only settings.py does; take the value as an argument",
            )


def _cycles(modules: Iterable[Module], graph: Mapping[str, set[str]]) -> list[Complaint]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        ring = error.args[1]
        first = next(module for module in modules if module.name == ring[0])
        return [
            first.complaint(1, f"imports in a ring: {' <- '.join(ring)}", "Move what they share into a third module")
        ]
    return []
