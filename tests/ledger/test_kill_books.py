"""kill -9 at any moment: what the caller was told is durable is in the ledger, once, at its cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from router.ledger.report import rows
from router.vocabulary import LedgerRow
from tests.ledger.fickle import started, unknown
from tests.ledger.samples import ended
from tests.processes import ROOT


def killed_many_times(data_dir: Path, rounds: int, seed: int) -> list[str]:
    """What the killed processes were told: `i7` an intent, `s7` its settlement."""
    command = [sys.executable, "-m", "tests.ledger.crashing", str(data_dir), str(rounds), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=600)
    told: list[str] = json.loads(done.stdout)
    return told


def wrong(told: list[str], ledger: dict[int, LedgerRow]) -> list[str]:
    """Every acknowledged call that the ledger does not bear out."""
    settled = {int(line[1:]) for line in told if line[0] == "s"}
    begun = {int(line[1:]) for line in told if line[0] == "i"} - settled
    # A settlement may have been written and its acknowledgement cut off by the kill.
    return [f"settled {number}" for number in settled if ledger.get(number) != ended(number)] + [
        f"begun {number}" for number in begun if ledger.get(number) not in (unknown(number), ended(number))
    ]


def hold_the_ledger_against(data_dir: Path, rounds: int, seed: int) -> None:
    told = killed_many_times(data_dir, rounds, seed)
    running = {int(row.attempt_id.removeprefix("att_")): row for row in rows(data_dir)}
    settled = {int(line[1:]) for line in told if line[0] == "s"}
    assert [] == [number for number in settled if running[number] != ended(number)], (
        "usage is right before a start, too"
    )
    started(data_dir).close()
    stored = rows(data_dir)
    ledger = {int(row.attempt_id.removeprefix("att_")): row for row in stored}
    assert [] == wrong(told, ledger)
    assert len(stored) == len(ledger), "no attempt is counted twice"
    never_said = len(ledger) - len([line for line in told if line[0] == "i"])
    assert 0 <= never_said <= rounds, "each kill can cut off one acknowledgement"
    assert len(settled) > rounds, "there was something to lose"


def test_thirty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    hold_the_ledger_against(tmp_path / "data", rounds=30, seed=1)


@pytest.mark.soak
def test_three_thousand_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    hold_the_ledger_against(tmp_path / "data", rounds=3000, seed=2)
