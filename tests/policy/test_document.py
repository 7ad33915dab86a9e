"""What is no plain data is refused before it can do harm, and says where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.policy import Policy
from router.policyfile.conform import conform
from router.policyfile.document import BYTES_MAX, DEPTH_MAX, Mapping, Refused, _tree, find, read
from router.policyfile.report import Page, Report, Spot


def _refusal(tmp_path: Path, body: bytes) -> str:
    path = tmp_path / "x.yaml"
    path.write_bytes(body)
    report = Report()
    assert read(path, report)[1] is None
    (problem,) = report.errors
    return problem.replace(f"{tmp_path}/", "").split("\n")[0]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"a: !!python/object:os.system x", "x.yaml:1:4: tags (`!name`)"),
        (b"a: !x {b: 1}", "x.yaml:1:4: tags (`!name`)"),
        (b"a: 1\nb: &anchor 2", "x.yaml:2:4: anchors (`&name`)"),
        (b"a: &x [1]\nb: *x", "x.yaml:1:4: anchors (`&name`)"),
        (b"a: *x", "x.yaml:1:4: aliases (`*name`)"),
        (b"a: {<<: {b: 1}}", "x.yaml:1:5: merge keys (`<<`)"),
        (b"%YAML 1.1\n---\na: 1", "x.yaml:2:1: directives (`%...`)"),
        (b"a: 1\n---\nb: 2", "x.yaml:2:1: a second document begins here"),
        (b"a: 1\n...\n", ""),
        (b"? [a]\n: 1", "x.yaml:1:3: a key must be a single word"),
        (b"- a\n- b", "x.yaml:1:1: the file must hold keys and values"),
        (b"", "x.yaml:1:1: the file must hold keys and values"),
        (b"# nothing", "x.yaml:1:1: the file must hold keys and values"),
        (b"a: 1\n\tb: 2", "x.yaml:2:1: this is not YAML: found character '\\t'"),
        (b"a: b: c", "x.yaml:1:5: this is not YAML: mapping values are not allowed"),
        (b"a: [1, 2", "x.yaml:1:9: this is not YAML"),
        (b'a: "\\ud800"', "x.yaml:1:4: an escape names half of a character"),
        (b'a: "\\U00110000"', "x.yaml:1:1: this is not YAML: ValueError in the parser"),
        (b"a: \x00", "x.yaml:1:1: this is not YAML: special characters are not allowed"),
        (b"a: 1\nb: \xff", "x.yaml: line 2 is not UTF-8 (byte 8)"),
        (b"a: " + b"[" * 10_000, f"x.yaml:1:{DEPTH_MAX + 3}: nested deeper than {DEPTH_MAX} levels"),
        (b"x" * (BYTES_MAX + 1), "x.yaml: is larger than 1 MB"),
    ],
)
def test_what_is_no_plain_data_is_refused_with_its_place(tmp_path: Path, body: bytes, expected: str) -> None:
    if not expected:
        path = tmp_path / "x.yaml"
        path.write_bytes(body)
        report = Report()
        assert read(path, report)[1] is not None
        assert () == report.errors
        return
    refusal = _refusal(tmp_path, body)
    assert expected == refusal[: len(expected)]


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    report = Report()
    read(tmp_path / "none.yaml", report)
    read(tmp_path, report)
    assert (
        f"{tmp_path}/none.yaml: cannot be read: No such file or directory",
        f"{tmp_path}: cannot be read: Is a directory",
    ) == report.errors


def test_every_repeated_key_is_reported_and_the_first_value_stays() -> None:
    report = Report()
    page = Page("x", ["a: 1", "a: 2", "b: {c: 1, c: 2}"])
    root = _tree("\n".join(page.lines), page, report)
    assert isinstance(root, Mapping)
    assert [
        "x:2:1: the key `a` is already on line 1; remove one",
        "x:3:11: the key `c` is already on line 3; remove one",
    ] == [text.split("\n")[0] for text in report.errors]
    assert {"a", "b"} == root.pairs.keys()


def test_a_place_that_was_not_written_is_the_nearest_one_around_it() -> None:
    root = _tree("a:\n  b: [x, y]\n", Page("x"), Report())
    assert isinstance(root, Mapping)
    assert Spot(1, 9, 1) == find(root, "a", "b", 1)
    assert Spot(1, 2, 1) == find(root, "a", "b", 7)
    assert Spot(0, 0, 1) == find(root, "a", "missing", "deeper")


def test_the_caret_of_a_very_long_line_stays_under_its_place() -> None:
    line = "a" * 5000 + "\x1b[31m!" + "b" * 5000
    report = Report()
    report.error(Page("x", [line]), Spot(0, 5005, 1), "here")
    shown, carets = report.errors[0].split("\n")[1:]
    assert "!" == shown[carets.index("^")]
    assert "\x1b" not in shown


YAML_PIECES = ["{", "}", "[", "]", ":", "- ", "? ", "!", "&a ", "*a", "|", ">", '"', "'", "\\", "%", "#", "\n", "  "]
YAML_PIECES += ["\t", "\x00", "\x85", "\u2028", "---", "<<: ", "~", "1e999", "\ufeff", "tiers: ", "model: ", "a"]


@given(st.lists(st.sampled_from(YAML_PIECES), max_size=25))
def test_whatever_the_text_there_is_a_record_or_a_reported_problem(pieces: list[str]) -> None:
    text = "".join(pieces)
    page, report = Page("x", text.splitlines() or [""]), Report()
    try:
        root = _tree(text, page, report)
        record = conform(root, Policy, page, report) if isinstance(root, Mapping) else None
    except Refused as refused:
        report.error(page, refused.spot, refused.message)
        record = None
    assert record is not None or report.errors or not isinstance(root, Mapping)
