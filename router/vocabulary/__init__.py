"""The nouns. Everything that one room hands to another is one of these frozen records.

    request.py   who asks, what is known, what is decided     answer.py   how a call ended, and its cost
    records.py   what is kept in the ledger                   prefix.py   a prompt as the cache sees it
    kept.py      answers that are given again              jobs.py      what is answered later, or once
    noun.py      what they are made of

Rule: no behaviour beyond a property that reads its own fields, and no import of any other room.
Money is an integer number of pico-dollars (1e-12 USD). Times are milliseconds since the epoch
(`_ms`, wall clock) or seconds (`_s`, durations).
"""

from .answer import ANSWERS, UNSENT, Billed, Cost, Outcome, OutcomeKind, Reply, Usage
from .jobs import Job, JobState, Keyed, KeyedState, Telling
from .kept import EMPTY_BIN, Fingerprint, KeptReply, Observed, Sampled
from .noun import PICO_PER_USD, Noun
from .prefix import Counts, Expected, Known, Mark, Path, Scope, Seen, Spot, Warmth
from .records import Audit, Decided, LedgerRow
from .request import Ask, Caching, Caller, Choice, Difficulty, Door, Dressed, Edit, Facts, Verdict, Words, Workload

__all__ = [
    "ANSWERS",
    "EMPTY_BIN",
    "PICO_PER_USD",
    "UNSENT",
    "Ask",
    "Audit",
    "Billed",
    "Caching",
    "Caller",
    "Choice",
    "Cost",
    "Counts",
    "Decided",
    "Difficulty",
    "Door",
    "Dressed",
    "Edit",
    "Expected",
    "Facts",
    "Fingerprint",
    "Job",
    "JobState",
    "KeptReply",
    "Keyed",
    "KeyedState",
    "Known",
    "LedgerRow",
    "Mark",
    "Noun",
    "Observed",
    "Outcome",
    "OutcomeKind",
    "Path",
    "Reply",
    "Sampled",
    "Scope",
    "Seen",
    "Spot",
    "Telling",
    "Usage",
    "Verdict",
    "Warmth",
    "Words",
    "Workload",
]
