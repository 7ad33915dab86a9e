"""What holds where the kernel has fewer doors, what is said of it, and how the process itself is kept in hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evals.sandbox import seccomp
from evals.sandbox.limits import Limits
from evals.sandbox.running import ROOT, Ran, Sandbox, SandboxBroken, doors_of

LIMITS = Limits(cpu_s=1)
KERNEL = ("namespaces", "landlock", "seccomp")


def run(source: str, without: tuple[str, ...] = (), tests: str = "import solution\nassert True") -> Ran:
    job = {"entry": "solution.py", "source": source, "tests": tests}
    return asyncio.run(Sandbox(1, without=without).run("code", job, LIMITS))


ATTACKS = {
    "a process": "import os\nos.fork()",
    "a shell": "import subprocess\nsubprocess.run(['ls'])",
    "the network": "import socket\nsocket.create_connection(('127.0.0.1', 9))",
    "a datagram": "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "a file outside": "open('/etc/passwd').read()",
    "a file written outside": "open('/var/tmp/tierwise-was-here', 'w')",
    "a link to a file outside": "import os\nos.symlink('/etc/passwd', 'here')\nopen('here').read()",
    "a signal": "import os\nos.kill(os.getppid(), 0)",
}


@pytest.mark.parametrize("without", [(), ("namespaces",), ("landlock",), ("seccomp",), KERNEL])
def test_with_whatever_doors_there_are_nothing_gets_out(without: tuple[str, ...]) -> None:
    async def attacked() -> dict[str, Any]:
        sandbox = Sandbox(2, without=without)
        jobs = [{"entry": "solution.py", "source": source, "tests": "import solution"} for source in ATTACKS.values()]
        found = await asyncio.gather(*(sandbox.run("code", job, LIMITS) for job in jobs))
        assert all(not set(without) & set(one.shut) for one in found)
        return dict(zip(ATTACKS, (one.found.get("why", one.ended) for one in found), strict=True))

    for attack, why in asyncio.run(attacked()).items():
        assert why.startswith("PermissionError: "), f"{attack}: {why}"


def test_it_has_a_small_disk_of_its_own_where_the_system_gives_it_one() -> None:
    found = run("for n in range(1000):\n    open(f'f{n}', 'wb').write(b'x' * 2**20)")
    if "namespaces" not in found.shut:
        pytest.skip("no namespaces for users here")
    assert found.found["why"].startswith("OSError: [Errno 28] No space left on device")


def test_what_cannot_be_shut_is_said() -> None:
    open_doors = asyncio.run(doors_of(Sandbox(1, without=KERNEL)))
    assert 3 == len(open_doors)
    assert (
        "no seccomp here; the network and other processes are kept from a model's code by Python alone" in open_doors[2]
    )


def test_code_that_sleeps_is_ended_by_the_clock() -> None:
    limits = Limits(wall_s=1)
    job = {"entry": "solution.py", "source": "import time\ntime.sleep(60)", "tests": "import solution"}
    assert "ran longer than 1 s" == asyncio.run(Sandbox(1).run("code", job, limits)).ended


def test_nothing_is_left_of_a_child(tmp_path: Path) -> None:
    job = {"entry": "solution.py", "source": "open('kept', 'w').write('x')", "tests": "import solution\nassert True"}
    assert asyncio.run(Sandbox(1, within=tmp_path).run("code", job, LIMITS)).found["passed"]
    assert [] == list(tmp_path.iterdir())


def test_a_caller_who_goes_away_leaves_no_process() -> None:
    async def left() -> int | None:
        sandbox = Sandbox(1)
        job = {"entry": "solution.py", "source": "import time\ntime.sleep(60)", "tests": "import solution"}
        task = asyncio.create_task(sandbox.run("code", job, Limits(cpu_s=60)))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(asyncio.all_tasks())

    assert 1 == asyncio.run(left())


UNDER_A_LOWER_LIMIT = """
import asyncio, resource
from evals.sandbox.limits import Limits
from evals.sandbox.running import Sandbox
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
tests = "import resource\\nassert resource.getrlimit(resource.RLIMIT_NOFILE) == (40, 40)"
job = {"entry": "solution.py", "source": "", "tests": tests}
print(asyncio.run(Sandbox(1).run("code", job, Limits())).found)
"""


def test_a_lower_limit_of_whoever_starts_us_is_kept() -> None:
    said = subprocess.run(
        [sys.executable, "-c", UNDER_A_LOWER_LIMIT], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert "{'passed': True, 'why': ''}" == said.stdout.strip()


def test_a_child_that_cannot_be_confined_is_no_fault_of_the_answer() -> None:
    job = {"entry": "solution.py", "source": "", "tests": ""}
    with pytest.raises(SandboxBroken, match="the sandbox cannot be shut: "):
        asyncio.run(Sandbox(1).run("code", job, Limits(cpu_s=2**63)))


def test_a_child_that_does_not_start_is_no_fault_of_the_answer() -> None:
    with pytest.raises(SandboxBroken, match="No module named"):
        asyncio.run(Sandbox(1).run("nothing", {}, LIMITS))


def test_the_filter_fits_the_kernel_s_own_list() -> None:
    """Each number is named once for each processor, and a jump never leaves the program."""
    for column, architecture in seccomp.PROCESSORS.values():
        numbers = [pair[column] for pair in seccomp.REFUSED.values() if pair[column] is not None]
        numbers += [pair[column] for pair in (seccomp.CLONE, seccomp.CLONE3, seccomp.TGKILL, seccomp.PRLIMIT64)]
        assert len(numbers) == len(set(numbers))
        program = seccomp.program(column, architecture, 7)
        assert (seccomp.RETURN, 0, 0, seccomp.ALLOW) == program[-1]
        for place, (code, yes, no, _) in enumerate(program):
            if code != seccomp.RETURN:
                assert place + 1 + max(yes, no) < len(program)
