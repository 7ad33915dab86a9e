"""The nouns of what is answered later, and of what is answered once: jobs, and keys of requests.

Rule: no behaviour, and no import of any other room. A job holds the text of its request and of its answer: it is
never logged.
"""

from __future__ import annotations

from enum import StrEnum

from .noun import Noun
from .request import Door

Headers = tuple[tuple[str, str], ...]


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Telling(StrEnum):
    """What became of telling a job's webhook."""

    NONE = "none"  # there is nobody to tell, or nothing yet
    PENDING = "pending"
    TOLD = "told"
    GIVEN_UP = "given_up"


class Job(Noun, frozen=True, kw_only=True):
    """A request that is answered later. `owner` and `tries` together are the lease under which it runs."""

    job_id: str
    tenant: str
    request_id: str
    at_ms: int
    state: JobState = JobState.QUEUED
    door: Door = Door.COMPLETE
    body: bytes = b""  # the request; gone once it is answered
    headers: Headers = ()  # those that reading it needs; never a secret
    webhook: str = ""
    tries: int = 0  # how often its run was begun
    owner: str = ""  # the process that runs it, or ran it last
    not_before_ms: int = 0
    answered_ms: int = 0
    status: int = 0
    answer_headers: Headers = ()
    answer: bytes = b""  # the message, or the error in its one shape
    error: str = ""  # its code, where the job failed
    telling: Telling = Telling.NONE
    telling_tries: int = 0


class KeyedState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    UNKNOWN = "unknown"  # it was begun, and its end was not seen


class Keyed(Noun, frozen=True, kw_only=True):
    """A request with an Idempotency-Key, and its answer. Key and body are known by their digests only."""

    tenant: str
    key: bytes
    body: bytes
    token: str  # of the one run that may end it
    owner: str  # the process that runs it
    state: KeyedState = KeyedState.RUNNING
    status: int = 0
    headers: Headers = ()
    answer: bytes = b""
