"""`tierwise usage`: what a person reads and what a machine reads."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from router.cli.usage import usage
from router.clock import SystemClock
from tests.ledger.fickle import started
from tests.ledger.samples import DAY_MS, ended, intent
from tests.ledger.test_report import ledger

CLASSIFIER = "claude-haiku-5-5"
NOTHING = {"input_tokens": 0, "cache_read_tokens": 0, "cache_write_5m_tokens": 0, "cache_write_1h_tokens": 0}


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(usage, ["--data-dir", str(data_dir), *arguments], env={"COLUMNS": "160"})


def as_data(data_dir: Path, *arguments: str) -> dict[str, dict[str, object]]:
    result = run(data_dir, "--json", *arguments)
    assert (0, "") == (result.exit_code, result.stderr)
    data: dict[str, dict[str, object]] = msgspec.json.decode(result.stdout)
    return data


def test_json_has_the_total_the_unknown_and_the_groups_and_nothing_else(tmp_path: Path) -> None:
    ledger(
        tmp_path,
        [
            ended(1, feature="chat", cost_pico=1_000_000_000_001, input_tokens=100, output_tokens=20),
            ended(2, feature="chat", cost_pico=999_999_999_999, billed="estimated"),
            ended(3, feature=None, cost_pico=5_500_000, billed="unknown"),
        ],
        [intent(4, feature=None, worst_pico=1)],
    )
    known = {"attempts": 2, "cost_usd": "2", "exact": False, "estimated": 1, "void": 0, **NOTHING}
    known |= {"input_tokens": 110, "output_tokens": 25}
    none = {"attempts": 0, "cost_usd": "0", "exact": True, "estimated": 0, "void": 0, **NOTHING, "output_tokens": 0}
    unknown = {"attempts": 2, "in_flight": 1, "cost_usd_at_most": "0.000005500001"}
    nothing_unknown = {"attempts": 0, "in_flight": 0, "cost_usd_at_most": "0"}
    rows = [
        {"key": "chat", **known, "unknown": nothing_unknown},
        {"key": None, **none, "exact": False, "unknown": unknown},
    ]
    expected = {
        "total": {**known, "exact": False},
        "unknown": unknown,
        "groups": {"by": "feature", "rows": rows},
    }
    assert expected == as_data(tmp_path, "--by", "feature")


def test_the_figures_are_right_while_the_service_runs(tmp_path: Path) -> None:
    books = started(tmp_path)
    for number in range(20):
        books.intend(intent(number, model=CLASSIFIER))
        books.settle(ended(number, model=CLASSIFIER, cost_pico=1))
        assert {"attempts": number + 1, "cost_usd": f"0.{number + 1:012d}".rstrip("0")} == {
            name: as_data(tmp_path)["total"][name] for name in ("attempts", "cost_usd")
        }
    books.close()


def test_a_person_gets_a_table_the_totals_and_how_exact_they_are(tmp_path: Path) -> None:
    ledger(tmp_path, [ended(1, user="ann", cost_pico=25_000_000), ended(2, user=None, cost_pico=7, billed="unknown")])
    shown = run(tmp_path, "--by", "user").stdout
    assert "│ ann    │     1 │ 0.000025 │" in shown
    assert "│ (none) │     0 │        0 │" in shown
    assert "1 more were not seen to end (0 may still be running): they cost at most 0.000000000007 USD" in shown


def test_settled_calls_are_said_to_be_exact_and_a_cut_one_an_estimate(tmp_path: Path) -> None:
    assert "Exact: the API gave the figures of every call." in run(ledger(tmp_path, [ended(1)])).stdout
    assert "1 of the calls are estimates" in run(ledger(tmp_path, [ended(2, billed="estimated")])).stdout


def test_a_name_cannot_give_orders_to_the_terminal(tmp_path: Path) -> None:
    ledger(tmp_path, [ended(1, user="\x1b[2Jann\n[red]\u202e" + "x" * 100)])
    shown = run(tmp_path, "--by", "user").stdout
    assert "\\x1b[2Jann\\n[red]\\u202e" + "x" * 34 + "..." in shown
    assert not {"\x1b", "\u202e"} & set(shown)


def test_days_come_in_their_order_and_other_groups_by_their_cost(tmp_path: Path) -> None:
    at_ms = ended(1).at_ms
    ledger(
        tmp_path,
        [
            ended(1, at_ms=at_ms + DAY_MS, model="cheap", cost_pico=1),
            ended(2, at_ms=at_ms, model="dear", cost_pico=9),
            ended(3, at_ms=at_ms, model="cheap", cost_pico=2),
        ],
    )
    assert [["2026-11-18", "2026-11-19"], ["dear", "cheap"]] == [
        [row["key"] for row in as_data(tmp_path, "--by", by)["groups"]["rows"]]  # type: ignore[attr-defined]
        for by in ("day", "model")
    ]


@pytest.mark.parametrize(
    ("since", "seen"), [("3d", 1), ("10d", 2), ("2026-01-01", 3), ("96h", 1), ("2w", 2), ("2999-01-01", 0)]
)
def test_since_takes_a_span_or_a_day(tmp_path: Path, since: str, seen: int) -> None:
    now_ms = SystemClock().now_ms()
    old_ms = min(now_ms - 20 * DAY_MS, 1_795_000_000_000)
    ledger(tmp_path, [ended(1, at_ms=now_ms), ended(2, at_ms=now_ms - 5 * DAY_MS), ended(3, at_ms=old_ms)])
    assert seen == as_data(tmp_path, "--since", since)["total"]["attempts"]


@pytest.mark.parametrize("since", ["yesterday", "7", "-1d", "2026-13-01", "9999999d"])
def test_a_wrong_since_says_what_is_right(tmp_path: Path, since: str) -> None:
    result = run(tmp_path, "--since", since)
    assert (2, True) == (result.exit_code, "is neither a span such as 90m, 36h, 7d or 2w nor a day" in result.stderr)


def test_without_a_ledger_a_person_is_told_and_the_exit_code_is_1(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere")
    assert (1, "") == (result.exit_code, result.stdout)
    assert f"there is no ledger in {tmp_path / 'nowhere'}" in result.stderr


def test_without_a_ledger_a_machine_gets_zeros_and_the_exit_code_is_1(tmp_path: Path) -> None:
    result = run(tmp_path, "--json", "--by", "day")
    data = msgspec.json.decode(result.stdout)
    assert (1, 0, "0", {"by": "day", "rows": []}) == (
        result.exit_code,
        data["total"]["attempts"],
        data["total"]["cost_usd"],
        data["groups"],
    )


def test_the_directory_comes_from_the_settings_when_it_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ledger(tmp_path, [ended(1)])
    monkeypatch.setenv("TIERWISE_DATA_DIR", str(tmp_path))
    assert 1 == msgspec.json.decode(CliRunner().invoke(usage, ["--json"]).stdout)["total"]["attempts"]


def test_help_has_an_example() -> None:
    assert "tierwise usage --by feature --since 7d" in CliRunner().invoke(usage, ["--help"]).stdout


def test_no_figure_is_cut_in_a_narrow_terminal(tmp_path: Path) -> None:
    ledger(tmp_path, [ended(1, cost_pico=1_234_567_890_123, model="m" * 50)])
    result = CliRunner().invoke(usage, ["--data-dir", str(tmp_path)], env={"COLUMNS": "40"})
    assert (2, 1) == (result.stdout.count(" 1.234567890123 "), result.stdout.count("m" * 50))
