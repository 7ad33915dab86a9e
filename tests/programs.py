"""Programs of other makers that some tests start: a machine that has only Python, make and a compiler lacks them.

Rule: where everything must be tested (`CI` is set) a missing one is a failure, elsewhere it skips the test and says so.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def needed(program: str, package: str, *elsewhere: str) -> str:
    """Where it is: on the path, else by one of these patterns."""
    found = shutil.which(program) or next(
        (str(path) for one in elsewhere for path in sorted(Path("/").glob(one))), None
    )
    if found is None:
        words = f"this test needs the program {program} (Debian: {package})"
        assert not os.environ.get("CI"), words
        pytest.skip(words)
    return found
