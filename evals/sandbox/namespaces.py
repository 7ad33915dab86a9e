"""A network without a wire, and a disk of its own that is gone with the process.

Rule: works without root where the kernel lets users make namespaces; a container often does not (then: OSError).
"""

from __future__ import annotations

import os
from pathlib import Path

from . import kernel
from .limits import Limits

NEWUSER, NEWNS, NEWNET, NEWIPC = 0x10000000, 0x00020000, 0x40000000, 0x08000000
MS_REC_PRIVATE = 0x4000 | 0x40000
MS_NOSUID_NODEV = 0x2 | 0x4
FILES_MAX = 512


def enter(work: Path, limits: Limits) -> None:
    """From here on `work` is an empty disk in memory, which only this process sees."""
    user, group = os.getuid(), os.getgid()
    kernel.unshare(NEWUSER | NEWNS | NEWNET | NEWIPC)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    kernel.mount("none", "/", "none", MS_REC_PRIVATE)
    options = f"size={limits.disk_mb}m,nr_inodes={FILES_MAX},mode=0700"
    kernel.mount("tmpfs", str(work), "tmpfs", MS_NOSUID_NODEV, options)
