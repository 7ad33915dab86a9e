"""From a run to routes.yaml: what is taken, what changes, and what the policy then does.

    taking.py    what of a run counts          change.py    the file and the policy after it
    rows.py      a tier's figures as a row     text.py      the file as text, its diff, and writing it
    suites_now.py  are the suites what was run?

Rule: only text.py and suites_now.py touch the disk.
"""

from .change import Effect, Samples, effects, merged, narrower, with_routes
from .suites_now import changed, hashes_now
from .taking import NotPicked, Picks, TaskPick, Wanted, picks, unfinished
from .text import HEAD, comments_lost, diff, opening, present, routes_path, text_of, write

__all__ = [
    "HEAD",
    "Effect",
    "NotPicked",
    "Picks",
    "Samples",
    "TaskPick",
    "Wanted",
    "changed",
    "comments_lost",
    "diff",
    "effects",
    "hashes_now",
    "merged",
    "narrower",
    "opening",
    "picks",
    "present",
    "routes_path",
    "text_of",
    "unfinished",
    "with_routes",
    "write",
]
