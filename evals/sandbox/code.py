"""In the child: a file as a model wrote it, and the tests it must pass.

Rule: passed is only what ran to the last line of the tests. What ends the process early has not passed.
"""

from __future__ import annotations

import linecache
import sys
import traceback
import types
from pathlib import Path

from .channel import open_channel

TESTS = "tests.py"
SHOWN_MAX = 160  # characters of a message


def main(own_folder: str) -> None:
    channel = open_channel()
    job, work = channel.job, channel.work
    for name, text in ((job["entry"], job["source"]), (TESTS, job["tests"])):
        (work / name).write_text(text, encoding="utf-8")
    _forget(own_folder, work)
    why = _run(work / TESTS, job["tests"])
    channel.answer({"passed": not why, "why": why})


def _forget(own_folder: str, work: Path) -> None:
    """The file under test finds its own folder and the standard library, and nothing of ours."""
    sys.path[:] = [str(work), *(path for path in sys.path if path != own_folder)]
    sys.argv[:] = [TESTS]
    for name in [name for name in sys.modules if name.partition(".")[0] == __name__.partition(".")[0]]:
        del sys.modules[name]


def _run(path: Path, tests: str) -> str:
    """Why the tests do not pass; "" when they do."""
    script = types.ModuleType("__main__")
    script.__file__ = str(path)
    sys.modules["__main__"] = script
    try:
        exec(compile(tests, str(path), "exec"), script.__dict__)  # noqa: S102  this is what the process is for
    except BaseException as error:  # noqa: BLE001  whatever it raises is the result
        return _told(error, path)
    return ""


def _told(error: BaseException, path: Path) -> str:
    """The line of the tests, and what went wrong there."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    name = type(error).__name__
    message = " ".join(str(error).split())[:SHOWN_MAX]
    said = f"{name}: {message}" if message else name
    if isinstance(error, SyntaxError) and error.filename and error.filename != str(path):
        return f"{Path(error.filename).name} line {error.lineno} is no Python: {error.msg}"
    if not lines or lines[-1] is None:
        return said
    source = linecache.getline(str(path), lines[-1]).strip()[:SHOWN_MAX]
    return f"{said} at line {lines[-1]} of the tests: {source}"
