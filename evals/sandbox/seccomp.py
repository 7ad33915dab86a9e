"""The system calls that the process may not make: no network, no other process, nothing of the machine's.

Rule: one table, by processor. A call that is not named is allowed, because Python needs many; what is named fails with
"operation not permitted", so that an honest program sees why.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform

from . import kernel

# Name: the number on x86_64, the number on aarch64. None: that processor has no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # the network; socketpair() stays, an event loop wakes itself with one
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "accept": (43, 202), "accept4": (288, 242),
    # other processes: none begun, none signalled, none looked into
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "process_mrelease": (448, 448), "kcmp": (312, 272),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    # other views of the machine
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    # the machine itself
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "bpf": (321, 280), "perf_event_open": (298, 241), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "reboot": (169, 142), "swapon": (167, 224),
    "swapoff": (168, 225), "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, None),
    "ioperm": (173, None), "syslog": (103, 116), "acct": (163, 89),
}  # fmt: skip
CLONE, CLONE3, TGKILL, PRLIMIT64 = (56, 220), (435, 435), (234, 131), (302, 261)
PROCESSORS = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # the column above, and the kernel's own name
CLONE_THREAD = 0x10000
OTHER_ABI = 0x40000000  # x86_64: calls of the 32-bit sort begin here

LOAD, EQUAL, AT_LEAST, HAS_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # where they stand in what the filter is shown
FILTER = 2

Instruction = tuple[int, int, int, int]


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def enter() -> None:
    """From here on the calls of the table fail, for good. Raises OSError where the kernel has no filters."""
    processor = PROCESSORS.get(platform.machine())
    if processor is None:
        raise OSError(errno.ENOSYS, f"no table of system calls for the processor {platform.machine()}")
    instructions = program(*processor, os.getpid())
    array = (_Instruction * len(instructions))(*(_Instruction(*one) for one in instructions))
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_SECCOMP, FILTER, ctypes.byref(_Program(len(instructions), array)))


def program(column: int, architecture: int, own_process: int) -> list[Instruction]:
    """The filter, in the kernel's own little language."""
    instructions = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, OTHER_ABI),
        (RETURN, 0, 0, KILL),
        # Its arguments lie where a filter cannot look: Python's threads then come by the older call.
        (EQUAL, 0, 1, CLONE3[column]),
        (RETURN, 0, 0, FAIL | errno.ENOSYS),
    ]
    refused = FAIL | errno.EPERM
    instructions += _only_when(CLONE[column], (HAS_BIT, 1, 0, CLONE_THREAD), refused)  # a thread, no process
    instructions += _only_when(TGKILL[column], (EQUAL, 1, 0, own_process), refused)
    instructions += _only_when(PRLIMIT64[column], (EQUAL, 1, 0, 0), refused)  # its own limits
    for numbers in REFUSED.values():
        number = numbers[column]
        if number is not None:
            instructions += [(EQUAL, 0, 1, number), (RETURN, 0, 0, refused)]
    return [*instructions, (RETURN, 0, 0, ALLOW)]


def _only_when(number: int, first_argument: Instruction, refused: int) -> list[Instruction]:
    return [
        (EQUAL, 0, 4, number),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        first_argument,
        (RETURN, 0, 0, refused),
        (RETURN, 0, 0, ALLOW),
    ]
