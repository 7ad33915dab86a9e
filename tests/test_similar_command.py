"""`tierwise similar`: what a person reads and what a machine reads, and how it leaves."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from router.cli.main import main
from router.decide.likeness_fit import THRESHOLDS
from router.vocabulary import Observed
from tests.decide.test_likeness_fit import world
from tests.ledger.fickle import started
from tests.ledger.samples import AT_MS


def ledger(folder: Path, notes: list[Observed]) -> Path:
    books = started(folder)
    for note in notes:
        books.note(msgspec.structs.replace(note, at_ms=AT_MS + note.at_ms))
    books.close()
    return folder


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["similar", "--data-dir", str(data_dir), *arguments], env={"COLUMNS": "100"})


def from_085(share: float) -> float:
    return 0.0 if share >= 0.85 else 0.25


@pytest.fixture(scope="module")
def enough(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ledger(tmp_path_factory.mktemp("enough"), world(random.Random(1), 2_500, from_085))


def test_a_threshold_that_is_proven_is_named(enough: Path) -> None:
    result = run(enough)
    assert (0, "") == (result.exit_code, result.stderr)
    assert "5,000 questions: from 0.85 on, at most" in result.stdout
    assert "replies: {similar: {mode: use, threshold: 0.85}}" in result.stdout


def test_json_has_every_threshold_and_nothing_else(enough: Path) -> None:
    result = run(enough, "--json")
    assert (0, "") == (result.exit_code, result.stderr)
    told = msgspec.json.decode(result.stdout)
    assert (5_000, 0.85, None, None) == tuple(
        told[name] for name in ("questions", "threshold", "more_pairs", "more_questions")
    )
    assert list(THRESHOLDS) == [row["threshold"] for row in told["rows"]]
    good = next(row for row in told["rows"] if row["threshold"] == 0.85)
    assert (0, 0.0, True) == (good["false"], good["low"], good["high"] < 0.01)
    assert good["hits"] / 5_000 == good["hit_rate"]


def test_a_stricter_wish_needs_more_evidence(enough: Path) -> None:
    result = run(enough, "--max-false", "0.001", "--json")
    told = msgspec.json.decode(result.stdout)
    assert (1, None) == (result.exit_code, told["threshold"])
    assert told["more_pairs"] > 3_000
    assert told["more_questions"] > told["more_pairs"]
    assert "not enough evidence" in told["words"]
    assert "questions more." in run(enough, "--max-false", "0.001").stdout


def test_answers_that_always_vary_are_said_to_vary(tmp_path: Path) -> None:
    result = run(ledger(tmp_path, world(random.Random(1), 600, lambda _share: 0.5)))
    assert 1 == result.exit_code
    assert "no threshold is good enough" in result.stdout
    assert "so much the model itself varies" in result.stdout


def test_without_anything_observed_it_says_how_to_begin(tmp_path: Path) -> None:
    result = run(ledger(tmp_path, []))
    assert 1 == result.exit_code
    assert "0 questions: not enough evidence" in result.stdout
    assert "mode to `observe`" in result.stdout


def test_without_a_ledger_it_says_so(tmp_path: Path) -> None:
    result = run(tmp_path, "--json")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "there is no ledger" in result.stderr


@pytest.mark.parametrize("wrong", [["--max-false", "0"], ["--max-false", "1"], ["--alike", "2"], ["--within", "0"]])
def test_a_wish_that_makes_no_sense_is_refused(tmp_path: Path, wrong: list[str]) -> None:
    assert 2 == run(tmp_path, *wrong).exit_code
