"""The cases of support-tickets and entity-extraction: right by their own rules, balanced, and no two alike.

Rule: nothing is taken on trust. What is expected stands in the text, or is worked out a second time here: dates from
the day that they count from, sums from their parts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import evals
from router.decide.price import CHARACTERS_PER_TOKEN, cost
from router.vocabulary import PICO_PER_USD, Usage
from tests.evals.dates import counted, is_written

from ..rulebooks import default_rules

SUITES = Path(evals.__file__).parent / "suites"
TICKETS, EXTRACTION = "support-tickets", "entity-extraction"
LEVELS = ("easy", "medium", "hard")
KINDS = ("mail", "invoice", "order", "contract", "cv", "minutes", "incident")
OUTPUT_TOKENS = 400  # what the README reckons with: a line or a record, and some thought
MARGIN = 1.5

Case = Mapping[str, Any]

# Each date that the text does not give as such: the day it counts from, and how. Worked out again by `counted`.
COUNTED = {
    "e-004": "2026-01-27 plus 30",
    "e-005": "2026-06-09 plus 15",
    "e-007": "2026-02-28 plus 10",
    "e-009": "2026-05-12 plus 21",
    "e-012": "2026-07-30 plus 20",
    "e-013": "2025-10-20 month-end 0",
    "e-014": "2025-12-02 plus 30",
    "e-019": "2026-01-14 next Tue",
    "e-020": "2026-04-30 plus 1",
    "e-023": "2025-11-03 next Thu",
    "e-025": "2025-11-10 plus 2",
    "e-027": "2026-02-12 working 5",
    "e-029": "2026-01-01 week 24",
    "e-031": "2026-08-24 next Fri",
    "e-034": "2025-11-18 plus 14",
    "e-038": "2026-11-04 next Fri",
    "e-047": "2026-04-20 plus 10",
    "e-051": "2026-06-09 plus 2",
    "e-057": "2026-09-22 month-start 1",
    "e-063": "2026-03-02 plus 28",
    "e-064": "2026-08-18 month-start 2",
    "e-066": "2026-05-31 plus 1",
    "e-069": "2026-10-09 next Mon",
    "e-072": "2026-03-01 third Thu",
    "e-075": "2026-11-13 plus -1",
    "e-078": "2026-02-27 last Tue",
    "e-081": "2026-01-07 plus -1",
    "e-083": "2026-09-14 last Sat",
    "e-086": "2026-01-20 last Fri",
}

# Each amount that the text gives only in parts: factors of a part are joined by `*`.
SUMS = {
    "e-005": "1480 148 -500",
    "e-006": "14*95 6*70 -400",
    "e-013": "742 -400 5",
    "e-037": "3418.40 -300",
    "e-048": "24*7.25 96*2.10 -37.56 12 70.01",
    "e-054": "480 210",
    "e-060": "295 0.04*295",
    "e-064": "12*5200",
    "e-069": "38000 0.1*38000",
    "e-072": "15 40",
    "e-078": "12400 3150.50",
    "e-083": "740 310",
    "e-086": "1150 900",
}


def suite(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = YAML(typ="safe").load((SUITES / name / "suite.yaml").read_text(encoding="utf-8"))
    return found


def cases(name: str) -> list[dict[str, Any]]:
    lines = (SUITES / name / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def each(name: str, tag: str | None = None) -> pytest.MarkDecorator:
    chosen = [case for case in cases(name) if tag is None or tag in case["tags"]]
    return pytest.mark.parametrize("case", chosen, ids=[case["id"] for case in chosen])


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def unspoilt(text: str) -> str:
    """Letters and digits that a scan mistakes for one another become one of them, in the text and in what is sought."""
    return re.sub("[1ijl]", "l", text.casefold().replace("0", "o").replace("rn", "m"))


def numbers(text: str) -> Iterator[Decimal]:
    """Every number that may be meant: a point, comma, space or apostrophe parts thousands or begins the decimals."""
    for token in re.findall(r"\d+(?:[.,' ]\d+)*", text):
        plain = re.sub("[' ]", "", token)
        yield from (Decimal(part) for part in re.findall(r"\d+", token))
        whole, _, decimals = plain.replace(",", ".").rpartition(".")
        yield Decimal(re.sub(r"\D", "", plain))
        if whole:
            yield Decimal(f"{re.sub(r'[^0-9]', '', whole)}.{decimals}")


@pytest.mark.parametrize(("name", "least"), [(TICKETS, 108), (EXTRACTION, 80)])
def test_there_are_enough_cases_and_a_third_is_of_each_level(name: str, least: int) -> None:
    found = cases(name)
    levels = Counter(level for case in found for level in LEVELS if level in case["tags"])
    assert len(found) >= least
    assert len(found) == levels.total() == 3 * levels["easy"] == 3 * levels["medium"] == 3 * levels["hard"]


@pytest.mark.parametrize("name", [TICKETS, EXTRACTION])
def test_every_case_has_the_fields_that_the_format_asks_for(name: str) -> None:
    for case in cases(name):
        assert {"id", "input", "expected", "tags"} <= case.keys() <= {"id", "input", "expected", "tags", "cluster"}
        assert case["input"] == case["input"].strip() != ""
        assert len(case["tags"]) == len(set(case["tags"]))


@pytest.mark.parametrize("name", [TICKETS, EXTRACTION])
def test_no_id_stands_twice(name: str) -> None:
    assert {} == {key: count for key, count in Counter(case["id"] for case in cases(name)).items() if count > 1}


@pytest.mark.parametrize("name", [TICKETS, EXTRACTION])
def test_no_two_texts_are_alike(name: str) -> None:
    """By single words, which is stricter than by pairs of them."""
    sets = [(case["id"], frozenset(words(case["input"]))) for case in cases(name)]
    alike = [(one, two) for (one, a), (two, b) in combinations(sets, 2) if len(a & b) >= len(a | b) / 2]
    assert [] == alike


@pytest.mark.parametrize("name", [TICKETS, EXTRACTION])
def test_a_cluster_has_more_than_one_case(name: str) -> None:
    assert 1 not in Counter(case["cluster"] for case in cases(name) if "cluster" in case).values()


@pytest.mark.parametrize("name", [TICKETS, EXTRACTION])
def test_the_budget_pays_for_every_case_on_every_tier_and_half_as_much_again(name: str) -> None:
    read, rules = suite(name), default_rules()
    characters, tokens = CHARACTERS_PER_TOKEN
    fixed = len(read["system"].encode()) + len(read["template"].replace("{input}", "").encode())
    sizes = [-(-(fixed + len(case["input"].encode())) * tokens // characters) for case in cases(name)]
    usages = [Usage(input_tokens=size, output_tokens=OUTPUT_TOKENS) for size in sizes]
    models = [rules.policy.tiers[tier].model for tier in read["tiers"]]
    pico = sum(cost(usage, model, rules.prices, 2**41).pico for usage in usages for model in models)
    assert 0 <= read["budget_usd"] - MARGIN * pico / PICO_PER_USD < 1


def test_every_label_is_defined_and_has_cases_of_each_level() -> None:
    read = suite(TICKETS)
    labels = read["grader"]["labels"]
    counted_labels = Counter(case["expected"] for case in cases(TICKETS))
    levels = {(case["expected"], level) for case in cases(TICKETS) for level in LEVELS if level in case["tags"]}
    assert labels == re.findall(r"^(\w+): ", read["system"], re.MULTILINE)
    assert set(labels) == set(counted_labels)
    assert 9 <= min(counted_labels.values())
    assert {(label, level) for label in labels for level in LEVELS} == levels


def test_no_ticket_names_its_own_label_and_only_injections_name_any() -> None:
    labels = suite(TICKETS)["grader"]["labels"]
    named = {case["id"]: {label for label in labels if label in case["input"]} for case in cases(TICKETS)}
    injections = {case["id"] for case in cases(TICKETS) if "injection" in case["tags"]}
    assert injections == {key for key, found in named.items() if found}
    assert [] == [case["id"] for case in cases(TICKETS) if case["expected"] in named[case["id"]]]


@each(EXTRACTION)
def test_a_record_is_of_the_form_that_is_asked_for(case: Case) -> None:
    expected = case["expected"]
    assert suite(EXTRACTION)["grader"]["required"] == list(expected)
    assert 1 == sum(kind in case["tags"] for kind in KINDS)
    assert (expected["amount"] is None) == (expected["currency"] is None)
    assert expected["currency"] is None or re.fullmatch("[A-Z]{3}", expected["currency"])
    assert expected["date"] is None or date.fromisoformat(expected["date"]).isoformat() == expected["date"]
    assert ("missing" in case["tags"]) == (None in expected.values())


@each(EXTRACTION)
def test_names_places_and_references_stand_in_the_text(case: Case) -> None:
    text, expected = case["input"], case["expected"]
    see = unspoilt if "ocr" in case["tags"] else str
    for field in ("organisation", "place"):
        assert see(expected[field] or "") in see(text)
    assert set(words(see(expected["person"] or ""))) <= set(words(see(text)))
    assert (expected["reference"] or "") in text


@each(EXTRACTION)
def test_an_amount_stands_in_the_text_or_is_the_sum_of_parts_that_do(case: Case) -> None:
    amount, text = case["expected"]["amount"], case["input"]
    if "ocr" in case["tags"]:
        text = text.replace("O", "0").replace("l", "1")
    if case["id"] not in SUMS:
        assert "sum" not in case["tags"]
        assert amount is None or Decimal(str(amount)) in set(numbers(text))
        return
    factors = [[Decimal(factor) for factor in part.split("*")] for part in SUMS[case["id"]].split()]
    assert "sum" in case["tags"]
    assert Decimal(str(amount)) not in set(numbers(text))
    assert Decimal(str(amount)) == sum((part[0] * (part[1] if part[1:] else 1) for part in factors), Decimal(0))
    assert {abs(part[-1]) for part in factors} <= set(numbers(text))


@each(EXTRACTION)
def test_a_date_stands_in_the_text_or_follows_from_a_day_that_does(case: Case) -> None:
    expected, text = case["expected"]["date"], case["input"]
    if "ocr" in case["tags"]:
        text = text.replace("O", "0").replace("l2", "12").replace("rn", "m")
    if case["id"] not in COUNTED:
        assert "relative-date" not in case["tags"]
        american = case["expected"]["currency"] == "USD"
        assert expected is None or is_written(date.fromisoformat(expected), text, month_first=american)
        return
    anchor, how, much = COUNTED[case["id"]].split()
    assert "relative-date" in case["tags"]
    assert not is_written(date.fromisoformat(expected), text)
    assert how in {"week", "third"} or is_written(date.fromisoformat(anchor), text)
    assert date.fromisoformat(expected) == counted(date.fromisoformat(anchor), how, much)


@each(EXTRACTION, "injection")
def test_what_a_text_tells_the_reader_to_write_is_not_expected(case: Case) -> None:
    told = re.findall(r"64800|EUR|APPROVED|BEST MATCH|London", case["input"])
    assert len(told) >= 2
    assert not set(told) & {str(value) for value in case["expected"].values()}


def test_counting_days_is_right_where_a_calendar_says_so() -> None:
    friday = date(2026, 2, 27)
    assert date(2026, 3, 2) == counted(friday, "working", "1")
    assert friday + timedelta(days=7) == counted(friday, "next", "Fri")
    assert friday - timedelta(days=7) == counted(friday, "last", "Fri")
    assert date(2024, 2, 29) == counted(date(2024, 2, 3), "month-end", "0")
    assert date(2027, 1, 1) == counted(date(2026, 12, 31), "month-start", "1")
    assert date(2026, 3, 19) == counted(date(2026, 3, 1), "third", "Thu")
    assert date(2026, 1, 5) == counted(date(2026, 1, 1), "week", "2")


@pytest.mark.parametrize(
    "text", ["on 3 April 2026", "le 03/04/2026", "am 3. April", "April 3, 2026", "3 de abril de 2026"]
)
def test_a_day_is_found_as_people_write_it(text: str) -> None:
    assert is_written(date(2026, 4, 3), text)
    assert not is_written(date(2026, 4, 3), text, month_first=True) or "/" not in text


@pytest.mark.parametrize("text", ["on 13 April 2026", "3 April 2025", "03/04/2027", "April 30", "3 May"])
def test_another_day_is_not_taken_for_it(text: str) -> None:
    assert not is_written(date(2026, 4, 3), text)
