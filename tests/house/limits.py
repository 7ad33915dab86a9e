"""How big a thing may get, and what a test may not do: the limits of the design, section 4.

Rule: a limit is a number in this file; where a function does not fit, the function is split, not the limit moved.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.source import Complaint, Module

FILE_LINES = 300
FUNCTION_LINES = 50
NESTING = 3
PARAMETERS = 6
BRANCHES = 10
FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "core"})

Function = ast.FunctionDef | ast.AsyncFunctionDef
NESTS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
BRANCHES_AT = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case)
PATCHING = frozenset({"setattr", "setitem", "delattr", "delitem"})


def complaints(modules: tuple[Module, ...]) -> list[Complaint]:
    """Everything in the modules that is over a limit."""
    return [complaint for module in modules for rule in RULES for complaint in rule(module)]


def file_length(module: Module) -> Iterator[Complaint]:
    lines = module.text.count("\n")
    if lines > FILE_LINES:
        yield module.complaint(
            FILE_LINES + 1, f"{lines} lines in one file, over {FILE_LINES}", "Split it by what it is about"
        )


def file_name(module: Module) -> Iterator[Complaint]:
    for part in module.name.split("."):
        if FORBIDDEN_NAMES & set(part.split("_")):
            yield module.complaint(1, f"`{part}` says nothing", "Name the file after the one thing that lives in it")


def opening(module: Module) -> Iterator[Complaint]:
    if module.name.startswith("router") and module.text and ast.get_docstring(module.tree) is None:
        yield module.complaint(1, "no docstring", "Open the file with what lives here and the rule that keeps it so")


def functions(module: Module) -> Iterator[Complaint]:
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            yield from _function(module, node)


def _function(module: Module, node: Function) -> Iterator[Complaint]:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    measured = (
        (lines, FUNCTION_LINES, "lines", "Peel one concern off into a function of its own"),
        (nesting(node), NESTING, "levels of nesting", "Return early, or move the inner part into a function"),
        (parameters(node), PARAMETERS, "parameters", "Hand over one frozen record, or bind some in a class"),
        (branches(node), BRANCHES, "branches", "Put the cases in a table, or split by question"),
    )
    for value, limit, what, cure in measured:
        if value > limit:
            yield module.complaint(node.lineno, f"{node.name}() has {value} {what}, over {limit}", cure)


def nesting(function: Function) -> int:
    """How deep statements stand inside each other. An `elif` is no deeper than its `if`."""
    return max((_depth(statement) for statement in function.body), default=0)


def _depth(node: ast.AST) -> int:
    if isinstance(node, Function | ast.ClassDef | ast.Lambda):
        return 0
    inner = max((_depth(child) for child in ast.iter_child_nodes(node)), default=0)
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        own = max((_depth(child) for child in (node.test, *node.body)), default=0) + 1
        return max(own, _depth(node.orelse[0]))
    return inner + 1 if isinstance(node, NESTS) else inner


def parameters(function: Function) -> int:
    """All parameters, without `self` and `cls`."""
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    names += [one.arg for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def branches(function: Function) -> int:
    """Where the way forks: if, loops, handlers, cases; not in functions inside. `case _` is an else."""
    return sum(_branches(statement) for statement in function.body)


def _branches(node: ast.AST) -> int:
    if isinstance(node, Function | ast.ClassDef | ast.Lambda):
        return 0
    is_else = (
        isinstance(node, ast.match_case) and isinstance(node.pattern, ast.MatchAs) and node.pattern.pattern is None
    )
    own = int(isinstance(node, BRANCHES_AT) and not is_else)
    return own + sum(_branches(child) for child in ast.iter_child_nodes(node))


def patching(module: Module) -> Iterator[Complaint]:
    """Tests hand fakes in through constructors; the environment and the folder may be set."""
    for node in ast.walk(module.tree):
        if _patches(node):
            yield module.complaint(
                getattr(node, "lineno", 1),
                "patches code",
                "Pass a fake through the constructor, or run the real thing on port 0",
            )


def _patches(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name in {"mock", "unittest.mock"} for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module in {"mock", "unittest.mock"} or (
            node.module == "unittest" and any(alias.name == "mock" for alias in node.names)
        )
    if isinstance(node, ast.arg):
        return node.arg == "mocker"
    return isinstance(node, ast.Attribute) and node.attr in PATCHING and ast.unparse(node.value) == "monkeypatch"


RULES = (file_length, file_name, opening, functions, patching)
