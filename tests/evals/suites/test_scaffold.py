"""A suite from examples loads again and says the same; what is guessed is said; nothing is written over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.csv_rows import examples_of
from evals.guessing import guess
from evals.kept_rows import examples_of_kept
from evals.scaffold import Choices, Example, scaffold
from evals.suitefile import SuiteError, load_suite
from router.vocabulary import Sampled

ROWS = [Example(fields={"input": f"text {number}"}, expected=["Refund", "late"][number % 2]) for number in range(12)]


def guessed(*values: Any) -> tuple[str, dict[str, Any], tuple[Any, ...]]:
    found = guess(values, "opus")
    return found.kind, dict(found.options), found.expected


def test_a_few_texts_that_come_again_are_labels_spelt_as_most_often() -> None:
    values = ["late", "refund", "late", "Refund", "refund", "late"]
    assert ("label", {"labels": ["late", "refund"]}, ("late", "refund", "late", "refund", "refund", "late")) == guessed(
        *values
    )


def test_numbers_are_numbers_with_their_unit_and_as_exact_as_they_are_written() -> None:
    assert ("number", {}, (1, 2000, -3)) == guessed("1", "2,000", "-3")
    assert ("number", {"tolerance": 0.005}, (1.5, 2.25)) == guessed("1.5", 2.25)
    units = ({"value": 1.5, "unit": "km"}, {"value": 3, "unit": "km"})
    assert ("number", {"unit": True, "tolerance": 0.05}, units) == guessed("1.5 km", "3 km")


def test_objects_are_compared_field_by_field_as_their_values_allow() -> None:
    one = '{"name": "Ada", "day": "2024-05-03", "sum": 3.5, "tags": ["a"], "ok": true}'
    other: dict[str, Any] = {"name": None, "day": "2024-05-04", "sum": None, "tags": [], "ok": False, "more": {"x": 1}}
    kind, options, expected = guessed(one, other)
    hows = {"name": "text", "day": "date", "sum": "number", "tags": "set", "ok": "exact", "more": "exact"}
    assert ("json", {"fields": hows}) == (kind, options)
    assert [None, {"x": 1}] == [value["more"] for value in expected]


@pytest.mark.parametrize(
    "values",
    [["a long answer", "another one", "a third"], [None, None], ["2024-05-03", "2024-05-04"], ["a", "b", "c"] * 1],
)
def test_anything_else_needs_a_judge_and_a_rubric_that_a_person_writes(values: list[Any]) -> None:
    kind, options, expected = guessed(*values)
    assert ("judge", "opus", tuple(values)) == (kind, options["tier"], expected)
    assert options["rubric"].startswith("FILL IN")


def test_what_is_written_loads_again(tmp_path: Path) -> None:
    made = scaffold(tmp_path, "tickets", ROWS, Choices(task="classify"))
    suite = load_suite(made.folder)
    assert ("label", 12, 0) == (made.kind, made.cases, made.unfilled)
    assert {row.fields["input"]: "Refund" if row.expected == "Refund" else "late" for row in ROWS} == {
        case.fields["input"]: case.expected for case in suite.cases
    }
    assert "Answer with exactly one of these labels, and nothing else:\n- Refund\n- late" == suite.system
    assert ("{input}", "classify", 0.9) == (suite.template, suite.task, suite.claim.value)
    assert "# guessed" in (made.folder / "suite.yaml").read_text(encoding="utf-8")


def test_many_fields_clusters_and_tags_are_kept(tmp_path: Path) -> None:
    rows = [
        Example(
            fields={"question": f"q{number}", "context": "c"},
            expected=number,
            id=f"r-{number}",
            cluster="k",
            tags=("a",),
        )
        for number in range(3)
    ]
    suite = load_suite(scaffold(tmp_path, "sums", rows).folder)
    assert "Question:\n{question}\n\nContext:\n{context}" == suite.template
    assert {("r-0", "k", ("a",)), ("r-1", "k", ("a",)), ("r-2", "k", ("a",))} == {
        (case.id, case.cluster, case.tags) for case in suite.cases
    }


def test_an_example_without_an_expected_value_is_left_for_a_person(tmp_path: Path) -> None:
    made = scaffold(tmp_path, "kept", [Example(fields={"input": "x"}), Example(fields={"input": "y"}, expected="z")])
    assert ("judge", 1) == (made.kind, made.unfilled)
    with pytest.raises(SuiteError) as error:
        load_suite(made.folder)
    assert any("cases.jsonl:1:" in problem and "fill in" in problem for problem in error.value.problems)
    assert any("`rubric` is not filled in yet" in problem for problem in error.value.problems)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(system=st.text(min_size=1), text=st.text(min_size=1).filter(str.strip))
def test_any_text_is_written_so_that_it_is_read_as_it_was(tmp_path: Path, system: str, text: str) -> None:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    made = scaffold(root, "any", [Example(fields={"input": text}, expected=7)], Choices(system=system))
    suite = load_suite(made.folder)
    assert (system.removesuffix("\n"), text) == (suite.system, suite.cases[0].fields["input"])


@pytest.mark.parametrize(
    ("name", "rows", "problem"),
    [
        ("tickets", ROWS, "is there already, and nothing is written over; take another name"),
        ("My Suite", ROWS, "`My Suite` cannot be a suite's name; use lower-case letters, digits, - and _"),
        ("../out", ROWS, "cannot be a suite's name"),
        ("empty", [], "there are no examples to make a suite of"),
    ],
)
def test_what_cannot_be_made_leaves_nothing(tmp_path: Path, name: str, rows: list[Example], problem: str) -> None:
    (tmp_path / "suites" / "tickets").mkdir(parents=True)
    with pytest.raises(SuiteError, match=problem):
        scaffold(tmp_path / "suites", name, rows)
    assert [["suites"], ["tickets"]] == [
        sorted(path.name for path in place.iterdir()) for place in (tmp_path, tmp_path / "suites")
    ]


def table(root: Path, text: str | bytes) -> Path:
    path = root / "rows.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_table_is_read_whatever_separates_its_columns(tmp_path: Path, separator: str) -> None:
    rows = [
        ["Customer text", "expected", "id", "tags", "cluster"],
        [f'"one{separator} ""two""\nthree"', "a", "r-1", '"x, y"', "k"],
        ["four", "", "", "", ""],
        [],
    ]
    found = examples_of(table(tmp_path, "\ufeff" + "\r\n".join(separator.join(row) for row in rows)))
    assert (
        Example(
            fields={"customer_text": f'one{separator} "two"\nthree'},
            expected="a",
            id="r-1",
            tags=("x", "y"),
            cluster="k",
        ),
        Example(fields={"customer_text": "four"}),
    ) == found


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", [": is empty; the first line names the columns: input, expected"]),
        ("input,expected\n", [": has a header, and no rows"]),
        (
            "input,expectd\na,b\n",
            [":1: there is no column `expected` (did you mean `expectd`?); there are: input, expectd"],
        ),
        ("expected,id\na,b\n", [":1: there is no column to ask, such as `input`"]),
        ("a,a,expected\nx,y,z\n", [":1: the column `a` is there twice"]),
        ("1a,expected\nx,y\n", [":1: `1a` cannot be a column's name; use letters, digits and _"]),
        (
            'input,expected\na,b,c\n,x\n"d\ne",f\ng\n"h',
            [
                ":2: 3 values, and the header has 2; put quotes around a text with a separator in it",
                ":3: there is nothing to ask in this row",
                ":6: 1 values, and the header has 2; put quotes around a text with a separator in it",
                ":7: this is no CSV from here on: unexpected end of data",
            ],
        ),
        ("input,expected,id\na,b,x\nc,d,x\n", [": the id `x` is there twice"]),
        (b"input,expected\na,b\n\xff,c\n", [":3: is not UTF-8; save the table as UTF-8"]),
    ],
)
def test_everything_wrong_with_a_table_is_said_with_its_line(
    tmp_path: Path, text: str | bytes, problems: list[str]
) -> None:
    path = table(tmp_path, text)
    with pytest.raises(SuiteError) as error:
        examples_of(path)
    assert problems == [problem.removeprefix(str(path)) for problem in error.value.problems]


def test_a_table_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="cannot be read: No such file or directory"):
        examples_of(tmp_path / "nothing.csv")


def kept(content: Any, system: Any = None, task: str = "chat", **more: Any) -> Sampled:
    body = {"messages": [{"role": "user", "content": content}], "max_tokens": 9, **more}
    if system is not None:
        body["system"] = system
    return Sampled(
        request_id="r", at_ms=1, task=task, verdict_difficulty="simple", body=json.dumps(body).encode(), answer=b"{}"
    )


def test_requests_of_one_turn_and_one_system_prompt_become_examples() -> None:
    several = msgspec.structs.replace(
        kept("x"), body=b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'
    )
    rows = [
        kept("newest", "S"),
        kept([{"type": "text", "text": "two"}, {"type": "text", "text": "blocks"}], [{"type": "text", "text": "S"}]),
        kept("newest", "S"),
        kept("other", "T"),
        kept([{"type": "image", "source": {}}], "S"),
        kept("tools", "S", tools=[{"name": "t"}]),
        several,
        msgspec.structs.replace(kept("x"), body=b"{"),
    ]
    found = examples_of_kept(rows, 10)
    assert ["newest", "two\n\nblocks"] == [example.fields["input"] for example in found.examples]
    assert {("simple",)} == {example.tags for example in found.examples}
    assert all(example.expected is None for example in found.examples)
    assert ("S", "chat", 4, 1, 1) == (found.system, found.task, found.unfit, found.other_system, found.repeated)
    assert ["newest"] == [example.fields["input"] for example in examples_of_kept(rows, 1).examples]
    assert () == examples_of_kept([], 10).examples
