"""routes.yaml as text: read back as it was meant, stable, and written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.picking import HEAD, comments_lost, diff, merged, opening, picks, present, text_of, write
from evals.picking.taking import Wanted
from router.decide.policy import Measured, RouteFile, RouteVerdict
from router.errors import PolicyError
from router.policyfile.measurements import read_routes
from router.policyfile.report import Report
from tests.evals.report.sample import sample_run
from tests.rulebooks import default_rules

SAMPLE = merged(RouteFile(), picks(sample_run(), default_rules(), Wanted()), default_rules())


def read_back(text: str, folder: Path) -> RouteFile:
    path, report = folder / "routes.yaml", Report()
    path.write_text(text)
    routes = read_routes(path, report)
    assert () == report.errors
    assert routes is not None
    return routes.file


def test_what_is_written_is_read_back_as_it_was(tmp_path: Path) -> None:
    assert SAMPLE == read_back(text_of(SAMPLE), tmp_path)
    assert RouteFile() == read_back(text_of(RouteFile()), tmp_path)


WORDS = st.text(st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S", "Zs")), max_size=40)


@given(claim=WORDS, reason=WORDS, run=WORDS, suites=st.lists(WORDS, max_size=3), rate=st.integers(0, 10_000))
def test_any_words_are_read_back_as_they_were(
    claim: str, reason: str, run: str, suites: list[str], rate: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    verdict = RouteVerdict(claim=claim, reason=reason, decided="2026-11-20", run=run, suites=tuple(suites))
    row = Measured(model="m", cases=1, passed=1, measured="2026-11-20", at_least=rate / 10_000, cost_usd="1")
    file = RouteFile(verdicts={"a": verdict}, routes={"a": {"b": row}})
    assert file == read_back(text_of(file), tmp_path_factory.mktemp("any"))


def test_words_that_look_like_something_else_stay_words(tmp_path: Path) -> None:
    for word in ("true", "no", "12", "0x1", "1e3", "~", "null", "a: b", "- a", "#x", "2026-11-20", "'", '"', ""):
        verdict = RouteVerdict(claim=word, reason=word, decided="2026-11-20", run=word)
        file = RouteFile(verdicts={"a": verdict})
        assert file == read_back(text_of(file), tmp_path)


def test_the_comments_at_the_top_are_kept_and_others_are_counted() -> None:
    text = "# ours\n#\n# two lines\n\nversion: 1\nroutes:\n  a:\n    # why\n    b: {}\n"
    assert ("# ours\n#\n# two lines", 1) == (opening(text), comments_lost(text))
    again = text_of(SAMPLE, opening(text))
    assert again.startswith("# ours\n#\n# two lines\n\nversion: 1\n")
    assert (opening(text), 0) == (opening(again), comments_lost(again))
    assert ("", 0) == (opening("version: 1\n"), comments_lost("version: 1\n"))


def test_a_diff_shows_the_lines_that_change_and_nothing_when_nothing_does() -> None:
    text = text_of(SAMPLE, HEAD)
    shown = diff(text, text.replace("passed: 104", "passed: 105"), "policies/routes.yaml", "run_1")
    assert {"-      passed: 104", "+      passed: 105"} == {
        line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    }
    assert "+++ policies/routes.yaml (after run_1)" in shown
    assert "" == diff(text, text, "x", "y")


# ---- writing


def test_the_file_is_replaced_whole_with_its_rights_and_through_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "routes.yaml"
    real.write_text("version: 1\n")
    real.chmod(0o664)
    link.symlink_to(real)
    write(link, text_of(SAMPLE))
    assert (text_of(SAMPLE), 0o664, True) == (real.read_text(), real.stat().st_mode & 0o777, link.is_symlink())
    assert {"real.yaml", "routes.yaml"} == {path.name for path in tmp_path.iterdir()}


def test_a_text_that_would_not_be_read_back_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text("version: 1\n")
    with pytest.raises(PolicyError):
        write(path, "routes: {a: {b: {passed: 3}}}\n")
    assert ("version: 1\n", ["routes.yaml"]) == (path.read_text(), [one.name for one in tmp_path.iterdir()])


def test_without_a_file_nothing_is_measured_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    assert RouteFile() == present(tmp_path / "policy.yaml")
    (tmp_path / "routes.yaml").write_text("routs: {}\n")
    with pytest.raises(PolicyError):
        present(tmp_path / "policy.yaml")
