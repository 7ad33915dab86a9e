"""The system calls that Python does not offer, by name.

Rule: a call that the kernel refuses is an OSError; whoever calls decides what to do without it.
"""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

CAPABILITIES_VERSION = 0x20080522

LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446  # the same on every processor


def prctl(option: int, *arguments: object) -> None:
    _done(_LIBC.prctl(option, *(_whole(one) for one in arguments), *[ctypes.c_ulong(0)] * (4 - len(arguments))))


def drop_privileges() -> None:
    """What root may do beyond others; else it could raise its own limits again."""
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0)
    none = (ctypes.c_uint32 * 6)()
    _done(_LIBC.capset(ctypes.byref(header), ctypes.byref(none)))


def unshare(flags: int) -> None:
    _done(_LIBC.unshare(flags))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    texts = (source.encode(), target.encode(), kind.encode())
    _done(_LIBC.mount(*texts, ctypes.c_ulong(flags), options.encode()))


def call(number: int, *arguments: object) -> int:
    """Any system call; what it gives back."""
    result: int = _LIBC.syscall(ctypes.c_long(number), *(_whole(one) for one in arguments))
    return _done(result)


def _whole(argument: object) -> object:
    """Whole registers: a plain int would be passed as half of one."""
    return ctypes.c_ulong(argument) if isinstance(argument, int) else argument


def _done(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
