"""Keeps the eval engine to itself: no display, no handlers that stay, nothing written outside the data directory.

Rule: the only place that touches what inspect_ai keeps to itself (decision 0011); it is pinned below 0.4 for that.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inspect_ai._util.logger import init_logger
from inspect_ai.util._display import init_display_type

from .durable import private_folder

OTHERS = 0o077


@contextmanager
def quiet(logs: Path) -> Iterator[None]:
    """Its display is off, its traces lie beside its logs, and what it hangs into the process is taken out again."""
    root = logging.getLogger()
    handlers, level, hook = list(root.handlers), root.level, sys.excepthook
    mask = os.umask(OTHERS)  # its logs hold every prompt and answer
    init_display_type("none")
    init_logger("warning", trace_dir=private_folder(logs / "traces"))
    _restore(root, handlers, level)  # its own loggers keep the handler
    try:
        yield
    finally:
        _restore(root, handlers, level)
        sys.excepthook = hook
        os.umask(mask)


def _restore(root: logging.Logger, handlers: list[logging.Handler], level: int) -> None:
    root.handlers[:] = handlers
    root.setLevel(level)
