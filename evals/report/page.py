"""A run as one HTML page: no script, nothing from outside, light and dark, readable on a telephone and on paper.

Rule: puts the sections together. Every text is escaped where it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from ..vocabulary import Finding, Run
from .plots import cost_and_quality, latency
from .reasons import reason
from .sections import differences, matrix, measured, slices
from .style import STYLE
from .traffic import Traffic
from .traffic_section import month_section
from .words import day, dollars

JUDGED = (
    "A model graded these. A judge errs, and what it likes favours the larger models, so the results stand apart:"
    " they are in none of the figures above, and are picked only when that is asked for."
)
COST_AND_QUALITY = (
    "Up is better, left is cheaper; the line joins the tiers that no other beats in both. The bars are 95% intervals"
    " (Wilson). ★ is the verdict, a hollow dot is a tier that another one beats."
)
LATENCY = "The thick bar ends at the median, the thin one at the slowest of twenty (95th percentile)."


def page(run: Run, traffic: Traffic | None = None) -> str:
    """The whole page. `traffic`: the ledger's month, where there is one."""
    exact = [finding for finding in run.findings if not finding.judged]
    judged = [finding for finding in run.findings if finding.judged]
    parts = [
        "<h1>Which tier does which task</h1>",
        f'<p class="muted">{_about(run)}</p>',
        *_banners(run),
        f'<div class="tiles">{"".join(_tile(finding) for finding in exact)}</div>',
        _totals(run),
        *_section("Tier by task", matrix(exact)),
        *_section("Cost and quality", _plots(exact, cost_and_quality), COST_AND_QUALITY),
        *_section("Latency", _plots(exact, latency), LATENCY),
        *month_section(traffic),
        *_section("Parts of the cases", slices(exact)),
        *_section("Cases on which tiers differ", differences(exact)),
        *_judged(judged),
        *_section("How it was measured", measured(run)),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Evals {escape(run.run_id)}</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>\n"
    )


def _about(run: Run) -> str:
    policy = f"policy <code>{escape(run.policy)}</code> ({escape(run.policy_hash)})"
    return f"Run <code>{escape(run.run_id)}</code> of {day(run.at_ms)}, {policy}, asked of {escape(run.upstream)}."


def _banners(run: Run) -> list[str]:
    said = []
    if run.rehearsed:
        said.append('<div class="banner" role="note"><b>A rehearsal.</b> All answers were made up; no figure on this'
                    " page says anything of a model, and nothing is picked from it.</div>")  # fmt: skip
    if not run.finished:
        why = escape(run.stopped or "it was ended")
        said.append(f'<div class="banner open" role="note"><b>Not finished:</b> {why}. What was answered is paid; the'
                    " same command goes on from here.</div>")  # fmt: skip
    return said


def _tile(finding: Finding) -> str:
    kind = "good" if finding.winner else "bad" if finding.decided else "open"
    name = finding.winner or ("no tier does" if finding.decided else "not enough evidence")
    return (
        f'<div class="tile {kind}"><span class="muted">{escape(finding.task)}</span><b>{escape(name)}</b>'
        f"<p>{escape(reason(finding, finding.winner))}</p>"
        f'<p class="muted">{escape(finding.suite)}: a tier does when it {escape(finding.claim.words)}.</p></div>'
    )


def _totals(run: Run) -> str:
    calls, fixed = (sum(getattr(one, name) for one in run.findings) for name in ("calls", "calls_fixed"))
    figures = {
        "answers looked at": f"{calls:,}",
        "spared by the looks": f"{fixed - calls:,}" + (f" ({1 - calls / fixed:.0%})" if fixed else ""),
        "paid in this run": dollars(sum(one.spent_pico for one in run.findings)),
        "all answers at live prices": dollars(sum(one.worth_pico for one in run.findings)),
    }
    return f'<ul class="figures">{"".join(f"<li>{name} <b>{told}</b></li>" for name, told in figures.items())}</ul>'


def _section(title: str, body: str, words: str = "") -> list[str]:
    """Without a body there is no section."""
    if not body:
        return []
    return [f"<h2>{title}</h2>", f'<p class="muted small">{words}</p>' if words else "", body]


def _plots(findings: Sequence[Finding], draw: Callable[[Finding], str]) -> str:
    drawn = [(finding, draw(finding)) for finding in findings]
    figures = "".join(
        f"<figure><h3>{escape(finding.task)}</h3>{plot}<figcaption>{escape(finding.suite)}</figcaption></figure>"
        for finding, plot in drawn
        if plot
    )
    return f'<div class="plots">{figures}</div>' if figures else ""


def _judged(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    said = "".join(f"<p><b>{escape(one.suite)}</b>: {escape(one.words)}</p>" for one in findings)
    body = said + matrix(findings, notes=True) + _plots(findings, cost_and_quality) + differences(findings)
    return _section("Graded by a model", body, JUDGED)
