"""A folder becomes a suite, or everything that is wrong with it is said at once, each with its place and a cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evals.suitefile import SuiteError, load_suite, load_suites
from evals.vocabulary import Claim, GraderSpec
from tests.evals.suites.folders import CASES, YAML, folder, problems, suite

JSON = "grader:\n  kind: json\n  fields: {a: text}\n"
LABEL = "grader:\n  kind: label\n  labels: [a, b]\n"


def test_a_folder_becomes_a_suite(tmp_path: Path) -> None:
    found = suite(tmp_path)
    assert ("sorting", "classify", "Two kinds.") == (found.name, found.task, found.description)
    assert ("Sort it.", "Ticket: {input}") == (found.system, found.template)
    assert GraderSpec(kind="label", options={"labels": ("a", "b")}) == found.grader
    assert (Claim(kind="bar", value=0.9), 1_500_000_000_000) == (found.claim, found.budget_pico)
    assert (None, (), (0.2, 0.4, 0.6, 0.8, 1.0)) == (found.max_tokens, found.tiers, found.looks)
    second = next(case for case in found.cases if case.id == "t-2")
    assert ({"input": "two"}, "b", "k", ("easy",), 2) == (
        second.fields, second.expected, second.cluster, second.tags, second.line,
    )  # fmt: skip


def test_everything_optional_can_be_said(tmp_path: Path) -> None:
    text = YAML.replace("bar: 0.9", "margin: 0.05") + "max_tokens: 512\ntiers: [haiku, opus]\nlooks: [0.5, 1]\n"
    found = suite(tmp_path, text)
    assert Claim(kind="margin", value=0.05) == found.claim
    assert (512, ("haiku", "opus"), (0.5, 1.0)) == (found.max_tokens, found.tiers, found.looks)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("bar: 0.9", "", "suite.yaml:1:1: has neither `bar` nor `margin`; a suite claims one: `bar: 0.9`"),
        ("bar: 0.9", "bar: 0.9\nmargin: 0.1",
         "suite.yaml:11:1: has `bar` and `margin`; a suite claims one: `bar: 0.9`"),
        ("bar: 0.9", "bar: 90", "suite.yaml:10:6: `bar` takes a number of more than 0 and less than 1, not `90`"),
        ("budget_usd: 1.50", "budget_usd: 0", "suite.yaml:11:13: must be more than 0; a run stops before"),
        ("budget_usd: 1.50", "budget_usd: much", "suite.yaml:11:13: `budget_usd` takes an amount of USD such as 0.10"),
        ("budget_usd: 1.50\n", "", "suite.yaml:1:1: the file needs the key `budget_usd`: What a run of"),
        ("budget_usd: 1.50", "budget_usd: 1\nlooks: [0.5, 0.2, 1]",
         "suite.yaml:12:1: looks must grow and end with 1, such as [0.2, 0.4, 0.6, 0.8, 1]"),
        ("budget_usd: 1.50", "budget_usd: 1\nlooks: [0.2, 0.8]",
         "suite.yaml:12:1: looks must grow and end with 1, such as [0.2, 0.4, 0.6, 0.8, 1]"),
        ("budget_usd: 1.50", "budget_usd: 1\ntiers: [haiku, haiku]", "suite.yaml:12:16: `haiku` is named twice"),
        ("task: classify", "tsak: classify", "suite.yaml:1:1: unknown key `tsak` in the file (did you mean `task`?);"),
        ("kind: label", "kind: lable", "suite.yaml:8:9: there is no grader `lable` (did you mean `label`?); there are"),
        ("  kind: label\n", "", "suite.yaml:7:1: `grader` needs the key `kind`: one of exact, label"),
        (LABEL, "", "suite.yaml:1:1: the file needs the key `grader`: its kind (exact, label"),
        (LABEL, "grader: label\n", "suite.yaml:7:1: `grader` needs the key `kind`"),
        ("  labels: [a, b]\n", "", "suite.yaml:7:1: `grader` needs the key `labels`: Every label"),
        ("labels: [a, b]", "lables: [a, b]\n  labels: [a, b]",
         "suite.yaml:9:3: unknown key `lables` in `grader` (did you mean `labels`?); allowed: kind, labels"),
        ("labels: [a, b]", "labels: [a, b, A]", "suite.yaml:9:18: an entry of `labels` is read like `a`"),
        ("{input}", "{inptu}", "suite.yaml:6:11: no case has the field `inptu` (did you mean `input`?); they have"),
        ("{input}", "{input} {", "suite.yaml:6:19: a lone `{`; write `{{` for a brace"),
        ("{input}", "{input} {a b}", "suite.yaml:6:19: `{a b}` is no field; name a field of the cases"),
        ("{input}", "nothing", "suite.yaml:5:11: names no field, so every case would be asked the same; add {input}"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_suite_is_said_with_its_place(
    tmp_path: Path, before: str, after: str, problem: str
) -> None:
    assert before in YAML
    found = problems(folder(tmp_path, YAML.replace(before, after)))
    assert any(one.startswith(problem) for one in found), found


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('{"id": "x", "input": "y"}', "cases.jsonl:1:1: lacks the key `expected`: what a right answer says"),
        ('{"id": "x", "expected": "a"}', "cases.jsonl:1:1: lacks the key `input`"),
        ('{"input": "x", "expected": "a"}', "cases.jsonl:1:1: lacks the key `id`: a name of its own, such as `t-001`"),
        ('{"id": "x", "input": "y", "expected": null}',
         "cases.jsonl:1:27: `expected` is null: fill in what a right answer says"),
        ('{"id": "x", "input": "y", "expected": "c"}', "cases.jsonl:1:27: `expected` is none of the 2 labels: `c`"),
        ('{"id": "x", "input": "y", "expected": "a"}\n\n{"id": "x", "input": "z", "expected": "b"}',
         "cases.jsonl:3:2: the id `x` is already on line 1; give one another"),
        ('{"id": "x", "input": "y", "expected": "a", "tag": []}', "cases.jsonl:1:44: unknown key `tag` (did you mean"),
        ('{"id": 7, "input": "y", "expected": "a"}', "cases.jsonl:1:2: `id` takes a text of 1 to 200"),
        ('{"id": "x", "input": "  ", "expected": "a"}', "cases.jsonl:1:13: `input` is empty; there is nothing to ask"),
        ('{"id": "x", "input": {"n": 3}, "expected": "a"}', "cases.jsonl:1:13: the field `n` takes a text; put"),
        ('{"id": "x", "input": {"a b": "c"}, "expected": "a"}', "cases.jsonl:1:13: `a b` cannot be a field's name"),
        ('{"id": "x", "input": [], "expected": "a"}', "cases.jsonl:1:13: `input` takes a text, or an object of texts"),
        ('{"id": "x", "input": "y", "expected": "a", "tags": "easy"}', "cases.jsonl:1:44: `tags` takes a list"),
        ('{"id": "x", "input": "y" "expected": "a"}', "cases.jsonl:1:26: this is not JSON: expecting ',' delimiter"),
        ('{"id": "x", "input":\n"y", "expected": "a"}', "cases.jsonl:1:21: this is not JSON: expecting value; every"),
        ('{"id": "x", "id": "z", "input": "y", "expected": "a"}', "cases.jsonl:1:1: the key `id` stands twice"),
        ('["x", "y", "a"]', "cases.jsonl:1:1: takes an object, such as"),
        ('{"id": "x", "input": "y", "expected": NaN}', "cases.jsonl:1:1: NaN is no JSON; write a number or null"),
        ('{"id": "x", "input": "\\ud800", "expected": "a"}', "cases.jsonl:1:1: an escape names half of a character"),
        ("[" * 100_000, "cases.jsonl:1:1: this is nested too deeply"),
        ('{"id": "x", "input": "y", "expected": ' + "9" * 5000 + "}", "cases.jsonl:1:1: a number of more digits"),
        ('{"id": "x", "input": "' + "y" * 2_100_000 + '", "expected": "a"}', "cases.jsonl:1:1: a line of more"),
        ("", "cases.jsonl: has no cases; a suite needs some to measure anything"),
        ("\n \n", "cases.jsonl: has no cases; a suite needs some to measure anything"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_case_is_said_with_its_line(tmp_path: Path, lines: str, problem: str) -> None:
    found = problems(folder(tmp_path, cases=lines))
    assert found[0].startswith(problem), found


def test_bytes_that_are_no_text_are_said_with_their_column(tmp_path: Path) -> None:
    bad = b'{"id": "x", "input": "y", "expected": "a"}\n{"id": "y", "input": "\xff", "expected": "a"}\n'
    assert ["cases.jsonl:2:23: is not UTF-8; save the file as UTF-8"] == problems(folder(tmp_path, cases=bad))


def test_a_mark_of_utf_8_and_windows_line_ends_are_taken(tmp_path: Path) -> None:
    body = b"\xef\xbb\xbf" + b'{"id": "x", "input": "y", "expected": "a"}\r\n'
    assert "y" == suite(tmp_path, cases=body).cases[0].fields["input"]


def test_every_problem_is_found_at_once_and_a_hundred_at_most(tmp_path: Path) -> None:
    text = YAML.replace("bar: 0.9", "bar: 2").replace("{input}", "{inptu}")
    cases = '{"id": "x", "input": "y"}\nnonsense\n{"id": "z", "input": "q", "expected": "c"}\n'
    found = problems(folder(tmp_path, text, cases))
    assert {"suite.yaml:10", "suite.yaml:6", "cases.jsonl:1", "cases.jsonl:2", "cases.jsonl:3"} == {
        ":".join(one.split(":")[:2]) for one in found
    }
    many = [{"id": f"x{number}", "input": "y", "expected": "c"} for number in range(300)]
    assert 100 == len(problems(folder(tmp_path, cases=many)))


def test_no_message_holds_the_text_of_a_case(tmp_path: Path) -> None:
    secret = "what the customer wrote"
    cases = f'{{"id": "x", "input": "{secret}" "expected": "a"}}\n{{"id": "y", "input": "{secret}"}}\n'
    with pytest.raises(SuiteError) as error:
        load_suite(folder(tmp_path, cases=cases))
    assert secret not in str(error.value)


def test_fields_and_the_template_fit_each_other_in_every_case(tmp_path: Path) -> None:
    text = YAML.replace("{input}", "{question} {context}")
    cases: list[dict[str, Any]] = [
        {"id": "a", "input": {"question": "q", "context": "c"}, "expected": "a"},
        {"id": "b", "input": {"question": "q"}, "expected": "a"},
        {"id": "c", "input": {"question": "q"}, "expected": "a"},
        {"id": "d", "input": {"question": "q", "context": "c", "more": "m"}, "expected": "a"},
    ]
    assert [
        "cases.jsonl:2:13: lacks the field `context`, which the template names (and so in 1 more)",
        "cases.jsonl:4:56: the field `more` is not in the template; add {more} there, or take the field out",
    ] == problems(folder(tmp_path, text, cases))


def test_files_that_are_missing_or_too_large_are_said(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "cases.jsonl").unlink()
    assert ["cases.jsonl: is missing; every suite has one, with a case a line"] == problems(place)
    (place / "suite.yaml").unlink()
    assert any("suite.yaml: cannot be read" in one for one in problems(place))
    with pytest.raises(SuiteError, match="there is no folder"):
        load_suite(tmp_path / "nothing")


def test_the_order_is_by_chance_but_always_the_same_and_a_new_case_moves_no_other(tmp_path: Path) -> None:
    cases = [{"id": f"c{number}", "input": f"i{number}", "expected": "a"} for number in range(50)]
    first = [case.id for case in suite(tmp_path / "1", cases=cases).cases]
    assert first != [case["id"] for case in cases]
    assert first == [case.id for case in suite(tmp_path / "2", cases=cases[::-1]).cases]
    more = [case.id for case in suite(tmp_path / "3", cases=[*cases, {**cases[0], "id": "new"}]).cases]
    assert first == [name for name in more if name != "new"]


def test_each_look_is_a_random_part(tmp_path: Path) -> None:
    """Of cases written in two halves, the first fifth has about as many of either."""
    cases = [{"id": f"c{number:03}", "input": f"i{number}", "expected": "a"} for number in range(200)]
    early = [case for case in suite(tmp_path, cases=cases).cases[:40] if case.line <= 100]
    assert 10 < len(early) < 30


HASHED = {
    "the system": (YAML.replace("Sort it.", "Sort this."), CASES),
    "the template": (YAML.replace("Ticket:", "Text:"), CASES),
    "the labels": (YAML.replace("[a, b]", "[a, b, c]"), CASES),
    "max_tokens": (YAML + "max_tokens: 99\n", CASES),
    "an input": (YAML, [{**CASES[0], "input": "uno"}, CASES[1]]),
    "an expected value": (YAML, [{**CASES[0], "expected": "b"}, CASES[1]]),
    "a case more": (YAML, [*CASES, {"id": "t-3", "input": "three", "expected": "b"}]),
}
NOT_HASHED = {
    "the bar": (YAML.replace("0.9", "0.8"), CASES),
    "the budget": (YAML.replace("1.50", "9"), CASES),
    "the order of the cases": (YAML, CASES[::-1]),
    "tags": (YAML, [{**CASES[0], "tags": ["hard"]}, CASES[1]]),
    "a comment": ("# hello\n" + YAML, CASES),
    "the looks": (YAML + "looks: [0.5, 1]\n", CASES),
}


@pytest.mark.parametrize("change", HASHED)
def test_what_changes_an_answer_or_its_grade_changes_the_hash(tmp_path: Path, change: str) -> None:
    assert suite(tmp_path / "1").hash != suite(tmp_path / "2", *HASHED[change]).hash


@pytest.mark.parametrize("change", NOT_HASHED)
def test_what_does_not_leaves_it(tmp_path: Path, change: str) -> None:
    assert suite(tmp_path / "1").hash == suite(tmp_path / "2", *NOT_HASHED[change]).hash


def test_a_file_that_the_grader_reads_is_part_of_the_hash(tmp_path: Path) -> None:
    text = YAML.replace(LABEL, "grader:\n  kind: sql\n  database: d.sql\n")
    cases = [{"id": "x", "input": "y", "expected": {"sql": "SELECT 1"}}]
    place = folder(tmp_path, text, cases)
    assert ["suite.yaml:9:13: there is no file `d.sql` in " + str(place)] == problems(place)
    (place / "d.sql").write_text("CREATE TABLE t (a)", encoding="utf-8")
    before = load_suite(place).hash
    (place / "d.sql").write_text("CREATE TABLE t (a, b)", encoding="utf-8")
    assert before != load_suite(place).hash


def test_suites_are_named_or_all_and_all_their_problems_are_said(tmp_path: Path) -> None:
    folder(tmp_path).rename(tmp_path / "alpha")
    for name, text in (("beta", YAML.replace("0.9", "9")), ("gamma", YAML.replace("1.50", "0"))):
        folder(tmp_path, text).rename(tmp_path / name)
    (tmp_path / ".hidden").mkdir()
    assert ("alpha",) == tuple(one.name for one in load_suites(tmp_path, ["alpha", "alpha"]))
    with pytest.raises(SuiteError) as error:
        load_suites(tmp_path)
    assert ["beta", "gamma"] == [problem.split("/suite.yaml")[0].rpartition("/")[2] for problem in error.value.problems]
    with pytest.raises(
        SuiteError, match=r"there is no suite `alfa` in .* \(did you mean `alpha`\?\); there are: alpha"
    ):
        load_suites(tmp_path, ["alfa"])
    with pytest.raises(SuiteError, match="is a suite itself; --suites names the folder that it is in"):
        load_suites(tmp_path / "alpha")
    with pytest.raises(SuiteError, match="--suites names the one that holds the suites"):
        load_suites(tmp_path / "nowhere")
