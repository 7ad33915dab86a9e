"""Replay: metrics as they are defined, splits that never mix, and nothing learnt from what is held out."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from evals.replay.__main__ import main
from evals.replay.arena import Arena
from evals.replay.contest import Chosen, Contest, contests_of
from evals.replay.metrics import Outcomes, scored, spread_of
from evals.replay.rows import HELD_OUT, TRAIN, Row, files_in, rows_of, split_of
from router.errors import StartError
from tests.evals.learn.texts import labels_of

COSTS = {"small": 0.001, "middle": 0.004, "large": 0.02}


def rows(count: int = 400, **changes: Any) -> list[dict[str, Any]]:
    """Two tasks; the small model is weak at one of them, the middle one nearly as good as the large."""
    dice = np.random.default_rng(1)
    labels = labels_of("refund", count // 2, (0.05, 0.4), dice) + labels_of("poem", count // 2, (0.5, 0.8), dice)
    made = []
    for at, label in enumerate(labels):
        outcomes = {"small": label.weak, "middle": float(at % 25 != 0), "large": float(at % 100 != 1)}
        made.append({"source": "made", "id": f"r{at}", "prompt": f"{label.text} ({at})", "outcomes": outcomes,
                     "costs": COSTS, "group": label.task, **changes})  # fmt: skip
    return made


def put(folder: Path, made: Sequence[dict[str, Any]], name: str = "made") -> Path:
    path = folder / f"{name}.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in made))
    return path


def contest_of(path: Path, chosen: Chosen | None = None) -> Contest:
    ((contest,), _) = contests_of([path], chosen or Chosen())
    return contest


def replay(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--data", str(folder), "--quick", *arguments])


# ---- metrics


def test_metrics_are_as_defined() -> None:
    """Four requests: the large model gains on the first two, of which the ranking has one first and one last."""
    weak, strong = np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4)
    outcomes = Outcomes(weak=weak, strong=strong, weak_usd=np.full(4, 1.0), strong_usd=np.full(4, 10.0))
    found = scored(np.array([4.0, 1.0, 3.0, 2.0]), outcomes)
    assert found is not None
    # PGR 0, .5, .5, .5, 1 at shares 0, 1/4, 1/2, 3/4, 1: the mean by trapezoids
    assert pytest.approx((0.25 / 2 + 0.5 / 2 + 0.5 / 2 + 0.75 / 2) / 2) == found.apgr
    assert (0.25, 1.0, 1.0, 1.0, 0.0) == (found.cpt50, found.cpt80, found.cost95, found.cost98, found.lift_pp)


def test_an_oracle_beats_lots_and_lots_are_worth_a_half() -> None:
    dice = np.random.default_rng(1)
    weak, strong = (np.asarray(dice.random(2_000) < rate, dtype=np.float64) for rate in (0.6, 0.9))
    outcomes = Outcomes(weak=weak, strong=strong)
    oracle = scored(outcomes.strong - outcomes.weak, outcomes)
    lots = [scored(dice.random(2_000), outcomes) for _ in range(50)]
    assert oracle is not None
    assert oracle.apgr > 0.9
    assert oracle.cost95 is None  # costs are not known
    assert pytest.approx(0.5, abs=0.02) == np.mean([one.apgr for one in lots if one is not None])


def test_where_the_strong_model_is_no_better_there_is_nothing_to_score() -> None:
    assert scored(np.arange(3.0), Outcomes(weak=np.ones(3), strong=np.ones(3))) is None


def test_a_spread_is_the_mean_and_where_most_repeats_lie() -> None:
    spread = spread_of([0.0, *([0.5] * 98), 1.0])
    assert (0.5, 0.5, 0.5, 100) == (spread.mean, spread.low, spread.high, spread.repeats)


# ---- rows


def test_the_same_question_is_on_one_side_however_it_is_spaced() -> None:
    assert split_of("What  is\n2 + 2?") == split_of("what is 2 + 2?")
    shares = [split_of(f"question {number}") for number in range(4_000)]
    assert pytest.approx((0.5, 0.3), abs=0.03) == (shares.count(TRAIN) / 4_000, shares.count(HELD_OUT) / 4_000)
    assert shares != [split_of(f"question {number}", "another") for number in range(4_000)]


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    path = put(tmp_path, [*rows()[:2], {"id": "x"}])
    with pytest.raises(StartError, match=r"made\.jsonl\.gz:3: is no row"):
        rows_of(path)


def test_a_folder_without_data_and_a_file_that_is_not_packed_say_so(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"there is no \.jsonl\.gz"):
        files_in(tmp_path)
    (tmp_path / "plain.jsonl.gz").write_text("{}")
    with pytest.raises(StartError, match="cannot be read"):
        rows_of(tmp_path / "plain.jsonl.gz")


def test_a_row_without_a_group_is_of_its_source() -> None:
    assert ["s", "s", "s:7"] == [Row("i", "p", {}, "s", None, group).task for group in (None, "", 7)]


# ---- contests


def test_the_pair_is_the_strongest_and_the_cheapest_that_is_plainly_worse(tmp_path: Path) -> None:
    contest = contest_of(put(tmp_path, rows()))
    assert ("small", "large", True) == (contest.pair.weak, contest.pair.strong, contest.has_costs)


def test_without_costs_the_weakest_stands_for_the_cheapest(tmp_path: Path) -> None:
    contest = contest_of(put(tmp_path, rows(costs=None, group=None)))
    assert ("small", "large", False) == (contest.pair.weak, contest.pair.strong, contest.has_costs)


def test_tiers_and_source_can_be_named(tmp_path: Path) -> None:
    contest = contest_of(put(tmp_path, rows()), Chosen(source="made", tiers=("middle", "large")))
    assert ("middle", "large", 400) == (contest.pair.weak, contest.pair.strong, len(contest.rows))


def test_of_several_sources_all_are_one_contest_and_each_is_a_part(tmp_path: Path) -> None:
    made = rows()
    for at, row in enumerate(made):
        row["source"] = "even" if at % 2 == 0 else "odd"
    found, left_out = contests_of([put(tmp_path, made)], Chosen())
    assert [("", False, 400), ("even", True, 200), ("odd", True, 200)] == [
        (one.pair.source, one.part, len(one.rows)) for one in found
    ]
    assert () == left_out


def test_what_cannot_be_a_contest_is_left_out_in_words(tmp_path: Path) -> None:
    put(tmp_path, rows()[:50], "few")
    put(tmp_path, [{**row, "outcomes": {"small": 1.0}} for row in rows()], "lone")
    found, left_out = contests_of(files_in(tmp_path), Chosen())
    assert ((), 2) == (found, len(left_out))
    assert "rows are too few" in left_out[0]
    assert "no two models" in left_out[1]


# ---- learning


def test_nothing_is_learnt_from_what_is_held_out(tmp_path: Path) -> None:
    made = rows()
    honest = Arena(contest_of(put(tmp_path, made)), {})
    for row in made:
        if split_of(row["prompt"]) != TRAIN:
            row["outcomes"] = {model: 1 - outcome for model, outcome in row["outcomes"].items()}
    turned = Arena(contest_of(put(tmp_path, made)), {})
    for arena in (honest, turned):
        assert set(arena.drawn(arena.split(), 100, np.random.default_rng(1))) <= set(arena.split().train)
    one, other = (arena.learnt(arena.split(), 100, np.random.default_rng(1)) for arena in (honest, turned))
    assert np.array_equal(one, other)
    assert not np.array_equal(honest.strong, turned.strong)


def test_the_last_line_is_one_json_object_with_every_number(tmp_path: Path) -> None:
    put(tmp_path, rows(600))
    result = replay(tmp_path)
    assert 0 == result.exit_code, result.output
    told = msgspec.json.decode(result.stdout.splitlines()[-1])
    (contest,) = told["contests"]
    ranked = contest["ranked"]
    assert {"50", "200", "all"} == ranked["draws"].keys() == ranked["splits"].keys() == ranked["table"].keys()
    assert {"random", "length", "oracle"} == ranked["controls"].keys()
    for name in ("apgr", "cpt50", "cpt80", "cost95", "cost98", "lift_pp"):
        assert ranked["draws"]["200"][name]["low"] <= ranked["draws"]["200"][name]["mean"]
    assert 10 == ranked["draws"]["50"]["apgr"]["repeats"]
    assert ranked["draws"]["200"]["apgr"]["mean"] > ranked["controls"]["random"]["apgr"]["mean"] + 0.1
    assert told["apgr"]["200"]["draws"] == ranked["draws"]["200"]["apgr"]["mean"]
    assert {(100, 0.1), (200, 0.1), (500, 0.15)} <= {(one["labels"], one["alpha"]) for one in told["gate"]["held"]}
    assert told["gate"]["unseen"]["asked"] > 0
    assert (0, 0) == (told["gate"]["unseen"]["skipped_named"], told["gate"]["unseen"]["skipped_unnamed"])
    assert {"500", "4000"} == told["speed"].keys()


def test_predictions_are_written_for_every_held_out_row(tmp_path: Path) -> None:
    made = rows()
    put(tmp_path, made)
    first = replay(tmp_path, "--preds", str(tmp_path / "one"), "--labels", "50")
    again = replay(tmp_path, "--preds", str(tmp_path / "two"), "--labels", "50")
    assert (0, 0) == (first.exit_code, again.exit_code)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    told = [msgspec.json.decode(line) for line in (tmp_path / "one").read_bytes().splitlines()]
    assert {row["id"] for row in made if split_of(row["prompt"]) == HELD_OUT} == {one["id"] for one in told}
    assert len({one["score"] for one in told}) > 50


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tiers", "small"), "--tiers takes two models"),
        (("--set", "other"), "nothing fits --set"),
        (("--preds", "missing/preds.jsonl"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    put(tmp_path, rows())
    result = replay(tmp_path, *(str(tmp_path / one) if "/" in one else one for one in arguments))
    assert (1, True) == (result.exit_code, words in result.stderr)
