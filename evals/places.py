"""Where measuring keeps what it paid for: answers, runs, logs, books.

    evals/answers/<ab>/<key>.json     paid for once        evals/runs/<run_id>.json    what was found
    evals/in-flight/<key>.json        calls under way      evals/books/                the ledger of these calls
    evals/batches/<number>.json       batches under way    evals/logs/                 for `inspect view`
    evals/fresh.json                  which askings count  evals/rehearsal/            the same of a rehearsal
    evals/past/<key>.json             answers to requests of users, until they are graded

Rule: only names of folders; what a rehearsal makes up never lies beside what was paid for.
"""

from __future__ import annotations

from pathlib import Path

from router.vocabulary.noun import Noun

STANDIN = "standin"  # in the place of an upstream's name: whoever asked it was told made-up answers


class Places(Noun, frozen=True, kw_only=True):
    """Of one data directory; a rehearsal has its own."""

    data_dir: Path
    rehearsed: bool = False

    @property
    def root(self) -> Path:
        return self.data_dir / "evals" / "rehearsal" if self.rehearsed else self.data_dir / "evals"

    @property
    def answers(self) -> Path:
        return self.root / "answers"

    @property
    def past(self) -> Path:
        return self.root / "past"

    @property
    def in_flight(self) -> Path:
        return self.root / "in-flight"

    @property
    def batches(self) -> Path:
        return self.root / "batches"

    @property
    def books(self) -> Path:
        return self.root / "books"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def fresh(self) -> Path:
        return self.root / "fresh.json"

    @property
    def runs(self) -> Path:
        """Rehearsed or not: a run says so itself."""
        return self.data_dir / "evals" / "runs"
