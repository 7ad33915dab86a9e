"""The nouns. Everything that one room hands to another is one of these frozen records.

    request.py   who asks, what is known, what is decided     answer.py   how a call ended, and its cost
    records.py   what is kept in the ledger                   noun.py     what they are made of

Rule: no behaviour beyond a property that reads its own fields, and no import of any other room.
Money is an integer number of pico-dollars (1e-12 USD). Times are milliseconds since the epoch
(`_ms`, wall clock) or seconds (`_s`, durations).
"""

from .answer import ANSWERS, Billed, Cost, Outcome, OutcomeKind, Reply, Usage
from .noun import PICO_PER_USD, Noun
from .records import Audit, Decided, LedgerRow
from .request import Ask, Caller, Choice, Difficulty, Door, Dressed, Edit, Facts, Verdict, Words, Workload

__all__ = [
    "ANSWERS",
    "PICO_PER_USD",
    "Ask",
    "Audit",
    "Billed",
    "Caller",
    "Choice",
    "Cost",
    "Decided",
    "Difficulty",
    "Door",
    "Dressed",
    "Edit",
    "Facts",
    "LedgerRow",
    "Noun",
    "Outcome",
    "OutcomeKind",
    "Reply",
    "Usage",
    "Verdict",
    "Words",
    "Workload",
]
