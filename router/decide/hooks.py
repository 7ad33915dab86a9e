"""Whom a job's webhook may tell, and how long to wait before the next try: of a job, and of telling of it.

Rule: pure. An address is judged by its words here; what its name resolves to is for upstream/, at each send.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

HTTPS_PORT = 443
JOB_BACKOFF_S = 1.0
JOB_BACKOFF_S_MAX = 60.0
# Ten tries, the last of them more than half a day after the first: a receiver may be down for a night.
TELLING_TRIES = 10
TELLING_S_MAX = 86_400.0
TELLING_BACKOFF_S = 30.0
TELLING_BACKOFF_S_MAX = 14_400.0
_PLAIN = re.compile(r"[!-~]+")


def refusal(url: str, hosts: Iterable[str]) -> str | None:
    """Why this address may not be told, in words; None: it may."""
    try:
        parts = urlsplit(url)
        port = parts.port or HTTPS_PORT
    except ValueError:
        return "it is no address"
    if parts.scheme != "https" or not parts.hostname or not _PLAIN.fullmatch(url):
        return "it must be an address that begins with https:// and names a host"
    if parts.username is not None or parts.password is not None:
        return "it must not hold a user or a password"
    if parts.fragment:
        return "it must not have a fragment"
    if not any(_takes(entry.lower(), parts.hostname, port) for entry in hosts):
        return "its host is not among the policy's jobs.webhook_hosts"
    return None


def job_wait_s(tries: int, dice: float, floor_s: float = 0.0) -> float:
    """Before a job is tried again, after so many tries: full jitter, doubling. What the API asked for is the least."""
    return max(JOB_BACKOFF_S, floor_s, dice * min(JOB_BACKOFF_S_MAX, JOB_BACKOFF_S * 2.0 ** min(tries, 10)))


def telling_wait_s(tries: int, dice: float, age_s: float) -> float | None:
    """Before a webhook is told again, after so many tries; None: it is given up."""
    if tries >= TELLING_TRIES:
        return None
    wait_s = min(TELLING_BACKOFF_S_MAX, TELLING_BACKOFF_S * 3.0 ** (tries - 1)) * (0.5 + dice / 2)
    return wait_s if age_s + wait_s <= TELLING_S_MAX else None


def _takes(entry: str, host: str, port: int) -> bool:
    """Whether an entry of the policy takes a host: by its name, or with a leading dot every host below it."""
    name, _, named_port = entry.partition(":") if entry.count(":") == 1 else (entry, "", "")
    if port != (int(named_port) if named_port.isdecimal() else HTTPS_PORT):
        return False
    host = host.rstrip(".")
    return host == name or (name.startswith(".") and host.endswith(name) and len(host) > len(name))
