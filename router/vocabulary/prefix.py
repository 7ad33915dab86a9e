"""The nouns of prompt caching: the blocks of a prompt, what is known of each place, and the marks that are set.

Rule: digests and sizes, never text. A prompt is a row of blocks (tools, then system, then messages); a place in
it is known by the digest of everything up to there. Digests hold within one process.
"""

from __future__ import annotations

from .noun import Noun

TOOLS, SYSTEM = -2, -1  # Spot.turn of what is in no turn
WHOLE = -1  # Spot.block of a bare text


class Spot(Noun, frozen=True, kw_only=True):
    """A place in a prompt where a mark could stand."""

    index: int  # of its block in the row
    digest: int  # of everything up to and including it
    text_bytes: int  # the same, as sent
    media_tokens: int = 0  # the same, of pictures and encoded documents
    kind: str  # tools | system | head | part | document | turn | step | history | end:first | end:tool | end:later
    turn: int
    block: int
    markable: bool = True
    own: str | None = None  # the caller's mark: its lifetime


class Path(Noun, frozen=True, kw_only=True):
    """A prompt as the cache sees it."""

    blocks: int
    spots: tuple[Spot, ...]  # in the order of the row
    head: tuple[int, ...] = ()  # each block of tools and system by its own digest, the first of them
    shape: str = ""  # how many tools and how many blocks of system there are
    marks: int = 0  # the caller's own, wherever they stand
    automatic: str | None = None  # the lifetime of the caller's mark on the request as a whole


class Scope(Noun, frozen=True, kw_only=True):
    """Whose prompt it is, and what besides its text decides whether an entry is found again."""

    tenant: str
    feature: str
    model: str
    head: int = 0  # of what makes the entries of tools and system others: speed, schema
    turns: int = 0  # and of those after them: tool_choice, thinking, effort, pictures


class Counts(Noun, frozen=True, kw_only=True):
    """How often prefixes came back, and how soon."""

    within_5m: int = 0
    within_1h: int = 0  # and not within five minutes
    later: int = 0  # or never
    young: int = 0  # sent less than five minutes ago, and not again yet
    young_age_s: float = 0.0  # of these, the mean
    old: int = 0  # sent longer ago, and not given up yet
    old_age_s: float = 0.0


class Seen(Noun, frozen=True, kw_only=True):
    """What is known of one place of a prompt, on one model."""

    own: Counts = Counts()  # of this very prefix
    like: Counts = Counts()  # of all prefixes of its kind, for the same feature
    since_s: float | None = None  # since it was last sent
    warm: str | None = None  # the lifetime of the entry that should be there now
    warm_left_s: float = 0.0
    tokens: int | None = None  # what the API counted for it


class Known(Noun, frozen=True, kw_only=True):
    """What is known of a whole prompt on one model: of each spot, in their order."""

    spots: tuple[Seen, ...] = ()
    tokens_per_byte: float | None = None  # as the API counted this feature's prompts
    output_tokens: float | None = None  # of its answers, on average
    elsewhere: int | None = None  # the longest of the spots that another model was asked with
    varies: int | None = None  # the first block of tools and system that was another one last time
    stable_after: int = 0  # of the blocks after it, how many were the same


class Warmth(Noun, frozen=True, kw_only=True, omit_defaults=True):
    """What one model has of a prompt in its cache."""

    model: str
    tokens: int  # of the prompt, about
    warm_tokens: int = 0  # of these
    warm_left_s: int = 0
    output_tokens: int = 0  # of an answer, on average; 0: not known


class Mark(Noun, frozen=True, kw_only=True):
    """A mark that the router sets, and what speaks for it."""

    index: int
    turn: int
    block: int
    ttl: str  # 5m | 1h
    tokens: int  # of the prefix that it ends
    chance_5m: float
    chance_1h: float
    why: str


class Expected(Noun, frozen=True, kw_only=True):
    """What is expected of the cache for one call, to be held against what the API says."""

    tokens: int = 0  # should be read
    exact: bool = False  # the API itself counted them
    cause: str = ""  # why no more than that is read
    at: str = ""  # where the prompt was another one than before
    block: int | None = None  # the same, by its place in the row
    lost_tokens: int = 0  # that could have been read but for the cause
