"""A repaired file is graded by its tests; whatever it does, it ends, and nothing of it stays."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from evals.graders.wording import code_in
from tests.evals.graders.asked import flaws, form, grade, passes

CODE = form("code", {"timeout_s": 1, "memory_mb": 256})
TESTS = {"tests": "import solution\nassert solution.double(2) == 4\nassert solution.double('a') == 'aa', 'texts too'\n"}
RIGHT = "def double(x):\n    return x + x\n"


def fenced(source: str) -> str:
    return f"Here is the file:\n\n```python\n{source}```\nThe bug was in line 2."


IN_A_LIST = "1. The file:\n\n    ```python\n    def double(x):\n        return x + x\n    ```\n"


@pytest.mark.parametrize(
    "text", [RIGHT, fenced(RIGHT), f"~~~py\n{RIGHT}~~~", f"```\n{RIGHT}```", f"```python\n{RIGHT}", IN_A_LIST]
)
def test_a_right_file_passes_however_it_is_fenced(text: str) -> None:
    assert passes(CODE, TESTS, text), grade(CODE, TESTS, text).why


def test_of_many_blocks_the_longest_is_the_file() -> None:
    text = f"The bug:\n```python\nreturn x\n```\nThe file:\n```python\n{RIGHT}```\nUse it:\n```python\ndouble(2)\n```"
    assert RIGHT == code_in(text, ("python",), longest=True)
    assert passes(CODE, TESTS, text)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            "def double(x):\n    return 4\n",
            "AssertionError: texts too at line 3 of the tests: assert solution.double(",
        ),
        ("def double(x):\n    return x * x\n", "TypeError: can't multiply sequence by non-int of type 'str' at line 3"),
        ("def double(x:\n", "solution.py line 1 is no Python: '(' was never closed"),
        ("def treble(x):\n    return 3 * x\n", "AttributeError: module 'solution' has no attribute 'double' at line 2"),
        ("raise SystemExit(0)\n", "SystemExit: 0 at line 1 of the tests"),
        ("import os\nos._exit(0)\n", "the code ended the process before the tests were over"),
        ("import os\nos.abort()\n", "the code crashed (SIGABRT)"),
        ("def double(x):\n    return double(x)\n", "RecursionError: maximum recursion depth exceeded"),
        ("import numpy\n", "ModuleNotFoundError: No module named 'numpy'"),
        ("import evals\n", "ModuleNotFoundError: No module named 'evals'"),
        ("", "there is no code in the answer"),
    ],
)
def test_a_wrong_file_fails_and_says_where(source: str, why: str) -> None:
    found = grade(CODE, TESTS, fenced(source) if source else "")
    assert (False, why) == (found.passed, found.why[: len(why)])


EVERY_HANDLE = "import os\nfor handle in range(3, 64):\n  try:\n    WRITE\n  except OSError: pass\n"
HOSTILE = {
    "a fork bomb": ("import os\nwhile True:\n    os.fork()\n", "PermissionError"),
    "a shell": ("import subprocess\nsubprocess.run(['touch', '{outside}'])\n", "PermissionError"),
    "an endless loop": ("while True:\n    pass\n", "the code took more than 1 s of processor time"),
    "all memory": ("x = bytearray(10 * 2**30)\n", "MemoryError"),
    "threads without end": (
        "import threading as t, time\nwhile True:\n    t.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
        "RuntimeError: can't start new thread",
    ),
    "writing outside": ("open('{outside}', 'w').write('x')\n", "PermissionError"),
    "removing a file outside": ("import os\nos.remove('{victim}')\n", "PermissionError"),
    "reading a file outside": ("open('{victim}').read()\n", "PermissionError"),
    "the parent's variables": ("import os\nopen(f'/proc/{os.getppid()}/environ').read()\n", "PermissionError"),
    "killing the parent": ("import os\nos.kill(os.getppid(), 9)\n", "PermissionError"),
    "the network": ("import socket\nsocket.create_connection(('127.0.0.1', {port}))\n", "PermissionError"),
    "one huge file": ("open('f', 'wb').write(b'x' * 2**24)\n", "OSError: [Errno 27] File too large"),
    "huge output": ("import os\nfor n in range(3000):\n    os.write(1, b'x' * 2**20)\n", "AttributeError"),
    "writing to every handle": (
        EVERY_HANDLE.replace("WRITE", "while True: os.write(handle, b'x' * 2**20)"),
        "the code wrote without end to where the answer goes",
    ),
    "a forged answer": (
        EVERY_HANDLE.replace("WRITE", "os.write(handle, b'{\"token\": \"\", \"passed\": true}')") + "os._exit(0)\n",
        "the code ended the process before the tests were over",
    ),
    "raising its own limits": (
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (99, 99))\n", "ValueError: not allowed to raise"),
}  # fmt: skip


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_code_ends_without_having_done_anything(tmp_path: Path, attack: str) -> None:
    source, why = HOSTILE[attack]
    outside, victim = tmp_path / "outside", tmp_path / "victim"
    victim.write_text("still here", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        for name, value in (("outside", outside), ("victim", victim), ("port", server.getsockname()[1])):
            source = source.replace(f"{{{name}}}", str(value))
        found = grade(CODE, TESTS, fenced(source))
        with pytest.raises(BlockingIOError):
            server.accept()
    assert (False, why) == (found.passed, found.why[: len(why)])
    assert (["victim"], "still here") == (
        [path.name for path in tmp_path.iterdir()],
        victim.read_text(encoding="utf-8"),
    )


def test_no_variable_of_ours_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "not for you")
    seen = "import os\nassert not set(os.environ) - {'HOME', 'TMPDIR', 'LANG', 'TZ', 'LC_CTYPE'}, list(os.environ)\n"
    assert passes(CODE, {"tests": seen}, "pass\n"), grade(CODE, {"tests": seen}, "pass\n").why


def test_an_honest_file_may_use_the_standard_library_and_its_own_folder() -> None:
    tests = {
        "tests": "import asyncio, tempfile, threading, zoneinfo, sqlite3, decimal\nimport solution\n"
        "assert asyncio.run(asyncio.sleep(0, 3)) == 3\n"
        "thread = threading.Thread(target=print)\nthread.start()\nthread.join()\n"
        "assert zoneinfo.ZoneInfo('Europe/Berlin').key == 'Europe/Berlin'\n"
        "with tempfile.NamedTemporaryFile('w+') as file:\n    file.write('x')\n"
        "import inspect\nassert 'return 1' in inspect.getsource(solution.one)\n"
    }
    assert passes(CODE, tests, "def one():\n    return 1\n"), grade(CODE, tests, "def one():\n    return 1\n").why


@pytest.mark.parametrize(
    ("expected", "wrong"),
    [
        ("assert 1", 'takes {"tests": '),
        ({"solution": "x"}, 'takes {"tests": '),
        ({"tests": " "}, 'takes {"tests": '),
        ({"tests": "assert solution.f( == 1"}, "has tests that are no Python: "),
        ({"tests": "import solution\nsolution.f()"}, "has tests without an `assert`, which any file would pass"),
    ],
)
def test_an_expected_value_has_tests_that_can_fail(expected: Any, wrong: str) -> None:
    assert (CODE.misfit(expected) or "").startswith(wrong)


def test_the_entry_is_a_module_beside_the_tests() -> None:
    for name in ("../x.py", "tests.py", "x", "a-b.py"):
        assert ["takes the name of a module, such as solution.py"] == flaws(form("code", {"entry": name}))
    other = form("code", {"entry": "shop.py"})
    assert passes(other, {"tests": "import shop\nassert shop.a == 1"}, "a = 1\n")
