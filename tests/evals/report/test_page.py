"""The page stands alone, is well-formed whatever a model wrote, and keeps apart what must be kept apart."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

import msgspec
import pytest

from evals.report.page import page
from evals.report.plots import cost_and_quality, latency
from evals.report.traffic import Choice, Traffic
from evals.vocabulary import Claim, Finding, Pair, Run, Slice, State
from tests.evals.report.sample import ENTITIES, NOTES, SQL, TICKETS, sample_run, tier

VOID = frozenset({"meta", "br", "line", "circle", "polyline", "rect"})
HOSTILE = "</pre><script>alert('&')</script>\"'<b>"
TRAFFIC = Traffic(
    days=29.4,
    requests=1_100,
    counted=1_000,
    unknown={"needs a verdict that was not asked for then": 100},
    choices=(
        Choice(name="as it was paid", pico=4 * 10**12, tiers={"sonnet": 600, "haiku": 400}),
        Choice(name="with these picks", pico=10**12, tiers={"haiku": 1_000}),
    ),
)


class Reader(HTMLParser):
    """Every element closes in the order in which it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(run: Run, traffic: Traffic | None = None) -> Reader:
    reader = Reader()
    reader.feed(page(run, traffic))
    reader.close()
    assert [] == reader.open
    return reader


def words(run: Run, traffic: Traffic | None = None) -> str:
    return " ".join(" ".join(read(run, traffic).words).split())


def test_the_page_needs_nothing_from_outside_and_no_script() -> None:
    seen = read(sample_run(), TRAFFIC).seen
    assert not {"script", "link", "img", "iframe", "form", "object", "base"} & {tag for tag, _ in seen}
    loads = {"src", "href", "srcset", "data", "action"}
    assert [] == [name for _, attributes in seen for name in attributes if name in loads or name.startswith("on")]
    assert not re.search(r"https?://|@import|url\(", page(sample_run(), TRAFFIC))


def hostile() -> Finding:
    pair = Pair(case=HOSTILE, better="haiku", worse="opus", expected=HOSTILE, better_text=HOSTILE, worse_text=HOSTILE,
                why=HOSTILE, repeats=(HOSTILE,))  # fmt: skip
    bad = msgspec.structs.replace(tier("haiku", State.CLEARS, "9/10", usd=1, s=1), tier=HOSTILE, words=HOSTILE)
    return Finding(
        suite=HOSTILE,
        suite_hash=HOSTILE,
        task=HOSTILE,
        claim=Claim(kind="bar", value=0.9),
        words=HOSTILE,
        tiers=(bad, tier("opus", State.UNTRIED, words=HOSTILE), tier("sonnet", State.FAILS, "1/9", usd=2, s=1)),
        slices=(Slice(tag=HOSTILE, tiers={"sonnet": (1, 9)}),),
        pairs=(pair,),
    )


def test_whatever_is_written_in_a_case_or_an_answer_stays_text() -> None:
    exact = hostile()
    judged = msgspec.structs.replace(exact, judged=True)
    run = sample_run(exact, judged, run_id=HOSTILE, policy=HOSTILE, upstream=HOSTILE, finished=False, stopped=HOSTILE)
    traffic = msgspec.structs.replace(
        TRAFFIC, unknown={HOSTILE: 1}, choices=(Choice(name=HOSTILE, pico=5, tiers={HOSTILE: 1}),)
    )
    reader = read(run, traffic)
    assert not {"script", "b", "pre"} & {tag for tag, attributes in reader.seen if HOSTILE in attributes.values()}
    assert "script" not in {tag for tag, _ in reader.seen}
    assert escape(HOSTILE) in page(run, traffic)


def test_each_suites_verdict_stands_at_the_top_with_its_reason() -> None:
    text = words(sample_run())
    tiles = text.partition("Tier by task")[0]
    assert "classify haiku haiku, 104/108, at least 91.2%, $0.00041 and 0.90 s a case;" in tiles
    assert "code not enough evidence not enough evidence, about 160 more cases would decide opus;" in tiles
    assert "spared by the looks 373 (25%)" in tiles


def test_the_matrix_reads_without_its_colours() -> None:
    text = words(sample_run())
    assert "96.3% (91-99%, 104/108) ✓ clears ★ at least 91.2% $0.00041 · 0.90 s" in text
    assert "78.2% (68-86%, 61/78) ✗ fails at most 19.0 points below opus" in text
    assert "? undecided at least 84.7% $0.015 · 6.2 s about 160 more cases would decide" in text
    assert "· untried not tested: a tier above it decided" in text


def test_what_a_model_graded_stands_apart_with_its_correction() -> None:
    before, _, after = words(sample_run()).partition("Graded by a model")
    assert "release-notes" not in before
    assert "corrected by 120 human labels" in after
    assert "82.3% (71-90%, 51/62) ✓ clears ★ at most 9.0 points below opus $0.0006 · 2.0 s corrected 80%" in after
    assert "Graded by a model" not in words(sample_run(TICKETS))
    assert "82.3%" in words(sample_run(NOTES))


def test_a_rehearsal_and_an_unfinished_run_say_so_before_any_figure() -> None:
    text = words(sample_run(rehearsed=True, finished=False, stopped="the cap of $2 is reached"))
    head = text.partition("classify")[0]
    assert "A rehearsal. All answers were made up" in head
    assert "Not finished: the cap of $2 is reached." in head
    assert "rehearsal" not in words(sample_run())


def test_cases_on_which_tiers_differ_are_shown_side_by_side_and_cut() -> None:
    long = msgspec.structs.replace(TICKETS.pairs[0], worse_text="x" * 2_500)
    text = words(sample_run(msgspec.structs.replace(TICKETS, pairs=(long,))))
    assert "t-047 : sonnet passes, haiku fails" in text
    assert "and 500 characters more" in text
    assert "Asked again, sonnet/haiku: pass/fail, pass/fail." in text


def test_how_it_was_measured_names_claim_money_and_hash() -> None:
    text = words(sample_run()).partition("How it was measured")[2]
    assert "letter-entities is at most 5 points below the top tier 130 338 13% $2.55 $2.55 90ab41cc7d20e5f6" in text


def test_the_month_shows_each_choice_with_its_change_and_what_is_not_known() -> None:
    text = words(sample_run(), TRAFFIC)
    assert "1,000 requests of the last 30 days" in text
    assert "with these picks $1.00 -75% haiku 100%" in text
    assert "100 requests do not count: 100 needs a verdict that was not asked for then." in text
    assert "month of" not in words(sample_run())


def test_a_run_without_any_suite_is_a_page_too() -> None:
    assert "Which tier does which task" in words(Run(run_id="r", at_ms=0, upstream="api",
        policy="p", policy_hash="h"))  # fmt: skip


# ---- plots


def heights(svg: str, kind: str) -> list[float]:
    return [float(y) for y in re.findall(rf'cy="([\d.]+)" r="[\d.]+" class="{kind}', svg)]


def test_a_better_tier_stands_higher_and_a_dearer_one_further_right() -> None:
    svg = cost_and_quality(ENTITIES)
    across = [float(x) for x in re.findall(r'<circle cx="([\d.]+)" cy="[\d.]+" r="5\.5"', svg)]
    assert sorted(across) == across
    assert sorted(heights(svg, "point"), reverse=True) == heights(svg, "point")
    assert 1 == svg.count('class="winner"')


def test_a_beaten_tier_is_hollow_and_says_by_whom() -> None:
    beaten = msgspec.structs.replace(
        ENTITIES, tiers=(*ENTITIES.tiers[:2], tier("opus", State.CLEARS, "110/130", usd=0.0128))
    )
    svg = cost_and_quality(beaten)
    assert (1, 1) == (svg.count("point beaten"), svg.count("beaten by sonnet"))
    assert 0 == cost_and_quality(ENTITIES).count("beaten")


def test_what_is_drawn_lies_on_the_paper() -> None:
    wide = msgspec.structs.replace(
        TICKETS,
        tiers=(tier("haiku", State.CLEARS, "0/9", usd=1e-6), tier("opus", State.CLEARS, "9/9", usd=90.0)),
    )
    for finding in (TICKETS, ENTITIES, NOTES, wide):
        svg = cost_and_quality(finding)
        assert all(0 <= float(x) <= 400 for x in re.findall(r'(?:cx|x1|x2)="(-?[\d.]+)"', svg))
        assert all(0 <= float(y) <= 290 for y in re.findall(r'(?:cy|y1|y2)="(-?[\d.]+)"', svg))


@pytest.mark.parametrize("finding", [SQL, msgspec.structs.replace(TICKETS, tiers=())])
def test_fewer_than_two_points_are_no_plot(finding: Finding) -> None:
    assert "" == cost_and_quality(finding)


def test_tiers_of_the_same_price_are_drawn_all_the_same() -> None:
    same = (tier("haiku", State.CLEARS, "9/10", usd=1), tier("opus", State.CLEARS, "9/10", usd=1))
    assert 2 == len(heights(cost_and_quality(msgspec.structs.replace(TICKETS, tiers=same)), "point"))


def test_latency_is_drawn_where_it_is_known() -> None:
    assert "0.90 s, p95 2.2 s" in latency(TICKETS)
    assert "" == latency(msgspec.structs.replace(TICKETS, tiers=(tier("haiku", State.CLEARS, "9/10"),)))
