"""What the cache cost and saved, added up from the rows."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from router.cli.cache_usage import as_data
from router.cli.usage import usage
from router.ledger.savings import Group, savings, total
from tests.ledger.samples import ended
from tests.ledger.test_report import ledger


def test_groups_are_by_feature_model_and_head_and_their_sum_is_the_whole(tmp_path: Path) -> None:
    head = {"feature": "chat", "model": "m", "prefix": "aa"}
    ledger(
        tmp_path,
        [
            ended(1, **head, input_tokens=10, cache_write_5m_tokens=90, cost_pico=130, plain_pico=100,
                  cache_write_pico=112, cache_cause="first"),
            ended(2, **head, input_tokens=10, cache_read_tokens=90, cost_pico=20, plain_pico=100),
            ended(3, feature="chat", model="m", prefix="bb", input_tokens=100, cost_pico=100, plain_pico=100,
                  cache_cause="prefix_changed", cache_at="system[0]", cache_lost_tokens=80),
            ended(4, feature=None, model="n", input_tokens=7, cost_pico=7, plain_pico=7, billed="unknown"),
        ],
        [],
    )  # fmt: skip
    groups = savings(tmp_path)
    one = groups[Group(feature="chat", model="m", prefix="aa")]
    assert (one.calls, one.hits, one.writes, one.hit_rate) == (2, 1, 1, 0.45)
    assert (one.saved_pico, one.write_pico, one.causes) == (50, 112, {"first": 1})
    whole = total(groups)
    assert (whole.calls, whole.plain_pico, whole.cost_pico, whole.saved_pico) == (3, 300, 250, 50)
    assert (whole.lost_tokens["prefix_changed"], whole.prompt_tokens) == (80, 300)


def test_a_write_that_nobody_ever_read_is_counted_as_such(tmp_path: Path) -> None:
    ledger(tmp_path, [ended(1, cache_write_1h_tokens=90, cost_pico=200, plain_pico=100, cache_cause="first")], [])
    found = as_data(savings(tmp_path))
    assert isinstance(found["total"], dict)
    assert found["total"]["misses"] == {"first": 1, "never_repeated": 1}
    assert (found["total"]["pays"], found["total"]["saved_usd"]) == (False, "-0.0000000001")


def test_what_varies_is_one_line_for_a_feature_however_many_heads_it_had(tmp_path: Path) -> None:
    rows = [
        ended(n, feature="x\x1b[31m", model="m", prefix=f"p{n}", plain_pico=5, cache_cause="prefix_changed",
              cache_at="system[0]", cache_lost_tokens=100)
        for n in range(20)
    ]  # fmt: skip
    ledger(tmp_path, rows, [])
    shown = CliRunner().invoke(usage, ["--cache", "--data-dir", str(tmp_path)]).output
    assert shown.count("system[0] is another one from call to call; 20 calls lost up to 2,000 tokens") == 1
    assert "16 more" in shown
    assert "\x1b" not in shown


def test_without_a_ledger_there_is_nothing_and_it_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(usage, ["--cache", "--json", "--data-dir", str(tmp_path)])
    assert (result.exit_code, '"calls":0' in result.stdout) == (1, True)
