"""What the API says of its limits is read with care: what is malformed was not said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.ratelimits import FULL_IN_S_MAX, Figures, Said, group_of, said_in

DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


def headers(kind: str = "requests", limit: str = "1000", left: str = "900", reset: str | None = None) -> dict[str, str]:
    prefix = f"anthropic-ratelimit-{kind}"
    said = {"date": DATE, f"{prefix}-limit": limit, f"{prefix}-remaining": left}
    return said if reset is None else {**said, f"{prefix}-reset": reset}


@pytest.mark.parametrize(
    ("model", "group"),
    [
        ("claude-opus-4-5-20251101", "claude-opus-4-5..8"),
        ("claude-opus-4-8", "claude-opus-4-5..8"),
        ("claude-opus-4-1", "claude-opus-4-1"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("claude-opus-5", "claude-opus-5"),
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5..6"),
        ("claude-sonnet-4-6", "claude-sonnet-4-5..6"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-fable-5", "claude-fable-5.."),
        ("claude-fable-5-2", "claude-fable-5.."),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-haiku-5-5", "claude-haiku-5-5"),
    ],
)
def test_models_that_share_a_bucket_share_a_name(model: str, group: str) -> None:
    assert group_of(model) == group


def test_the_three_buckets_are_read_each_for_itself() -> None:
    told = {**headers("input-tokens", "2000000", "1999000"), **headers("output-tokens", "400000", "0")}
    assert Said(None, Figures(2_000_000, 1_999_000), Figures(400_000, 0)) == said_in(told)
    assert said_in({"date": DATE}) is None


@pytest.mark.parametrize(
    ("reset", "full_in_s"),
    [
        ("2026-11-21T10:00:30Z", 30.0),
        ("2026-11-21T11:00:30+01:00", 30.0),
        ("2026-11-21T10:00:00.250Z", 0.25),
        ("2026-11-21T09:00:00Z", 0.0),
        ("2027-11-21T09:00:00Z", FULL_IN_S_MAX),
        ("2026-11-21T10:00:30", None),  # of which zone?
        ("soon", None),
        ("", None),
    ],
)
def test_a_time_is_read_against_the_answers_own_date(reset: str, full_in_s: float | None) -> None:
    said = said_in(headers(reset=reset))
    assert said == Said(Figures(1000, 900, full_in_s))


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 99 Nov 2026 10:00:00 GMT"])
def test_without_a_date_of_its_own_a_time_means_nothing(date: str) -> None:
    assert said_in({**headers(reset="2026-11-21T10:00:30Z"), "date": date}) == Said(Figures(1000, 900))


@pytest.mark.parametrize("bad", ["", "-1", "1.5", "1e3", "many", "٣", "9" * 13, " 5"])
def test_a_malformed_figure_was_not_said(bad: str) -> None:
    assert said_in(headers(limit=bad)) is None
    assert said_in(headers(left=bad)) is None


def test_more_left_than_there_is_and_a_limit_of_nothing_are_not_believed() -> None:
    assert said_in(headers(left="5000")) == Said(Figures(1000, 1000))
    assert said_in(headers(limit="0", left="0")) is None


@given(st.dictionaries(st.sampled_from(sorted(headers(reset=""))), st.text(max_size=40)))
def test_no_header_is_too_strange_to_be_read(told: dict[str, str]) -> None:
    said = said_in(told)
    assert said is None or (said.requests is not None and 0 <= said.requests.left <= said.requests.limit)
