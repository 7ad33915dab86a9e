"""Which files the process may read, and the one folder that it may write to (Linux 5.13 and newer, no root needed).

Rule: what is not named is closed, also to what the process opens by another name.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from . import kernel

WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
REFER, IOCTL_DEV = 1 << 13, 1 << 15
FIRST_RIGHTS = (1 << 13) - 1  # of the first version; later ones added three
OF_FILES = 1 | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # a rule for a single file takes only these
RULE_PATH_BENEATH = 1
ASK_VERSION = 1
NO_TCP = 0b11  # neither bind nor connect (version 4)
NO_SIGNALS_NO_SOCKETS = 0b11  # none to processes outside, none by abstract names (version 6)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def enter(work: Path, readable: Iterable[Path]) -> None:
    """Nothing but `readable` can be read from here on, and nothing but `work` written. Raises OSError."""
    version = kernel.call(kernel.LANDLOCK_CREATE_RULESET, None, 0, ASK_VERSION)
    rights = _rights(version)
    attributes = _Ruleset(rights, NO_TCP if version >= 4 else 0, NO_SIGNALS_NO_SOCKETS if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = kernel.call(kernel.LANDLOCK_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    for path in readable:
        _allow(rules, path, READ_FILE | READ_DIR)
    _allow(rules, Path("/dev/null"), READ_FILE | WRITE_FILE)
    _allow(rules, work, rights)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.call(kernel.LANDLOCK_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _rights(version: int) -> int:
    """Every right that this kernel can take away."""
    since = ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV))
    return FIRST_RIGHTS | sum(right for first, right in since if version >= first)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        kept = rights if path.is_dir() else rights & OF_FILES
        rule = _Beneath(kept, handle)
        kernel.call(kernel.LANDLOCK_ADD_RULE, rules, RULE_PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)
