"""The tables of the page: tier by task, parts of the cases, where tiers differ, and how it was measured.

Rule: draws findings. Every text is escaped; a state is a sign and a word, never a colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from ..vocabulary import Finding, Pair, Run, State
from .words import SIGNS, UNKNOWN, a_case, bound, dollars, interval, percent, rate, saved, seconds, tier_of

TEXT_MAX = 2_000  # characters of an answer that are shown
ANSWERS_OPEN = 1  # pairs of a suite that are not folded away


def matrix(findings: Sequence[Finding], *, notes: bool = False) -> str:
    """A row for each suite, a column for each tier, cheapest first."""
    if not findings:
        return ""
    tiers = tiers_of(findings)
    head = "".join(f"<th>{escape(tier)}</th>" for tier in tiers)
    rows = "".join(
        f"<tr><th>{escape(one.task)}<br><span class='muted small'>{escape(one.suite)}</span></th>"
        f"{''.join(_cell(one, tier, notes) for tier in tiers)}</tr>"
        for one in findings
    )
    return f'<div class="wide"><table><tr><th>task</th>{head}</tr>{rows}</table></div>'


def tiers_of(findings: Sequence[Finding]) -> list[str]:
    """In the order of the suite that has the most of them, then what others have."""
    fullest = max(findings, key=lambda one: len(one.tiers))
    return list(dict.fromkeys(tier.tier for one in (fullest, *findings) for tier in one.tiers))


def slices(findings: Sequence[Finding]) -> str:
    """For each suite with tags: how each tier did on each tag."""
    return "".join(_slices(finding) for finding in findings if finding.slices)


def differences(findings: Sequence[Finding]) -> str:
    return "".join(_pairs(finding) for finding in findings if finding.pairs)


def measured(run: Run) -> str:
    """What each suite claimed, how far the looks went, and what it cost."""
    headings = ("suite", "claim", "cases", "answers", "spared", "paid", "worth", "hash")
    numbers = {"cases", "answers", "spared", "paid", "worth"}
    head = "".join(f"<th{' class=n' if name in numbers else ''}>{name}</th>" for name in headings)
    rows = "".join(f"<tr>{''.join(_measured(one))}</tr>" for one in run.findings)
    return (
        "<p>Tiers are tested from the top one down, and the first that does not clear ends it; each test looks at its"
        " cases in planned parts and stops where the answer is known. <i>At least</i> and <i>at most</i> hold with"
        " 95% confidence, all looks together; the intervals are for one look. <i>Paid</i> is what this run spent:"
        " an answer that was known already costs nothing. <i>Worth</i> is what all answers would cost at live"
        f' prices.</p><div class="wide"><table><tr>{head}</tr>{rows}</table></div>'
    )


def _cell(finding: Finding, name: str, notes: bool) -> str:
    one = tier_of(finding, name)
    if one is None:
        return '<td class="cell untried">not in this suite</td>'
    won = " won" if name == finding.winner else ""
    star = " ★" if won else ""
    sign = f'<span class="sign">{SIGNS[one.state]}</span> {one.state.value}{star}'
    if not one.cases:
        words = f"<br><span class='small'>{escape(one.words)}</span>" if one.words else ""
        return f'<td class="cell {one.state.value}{won}">{sign}{words}</td>'
    figures = f"<b>{percent(rate(one))}</b> <span class='small'>({interval(one)}, {one.passed}/{one.cases})</span>"
    claimed = bound(one, finding)
    lines = [figures, sign, f"<span class='small'>{escape(one.words if claimed == UNKNOWN else claimed)}</span>"]
    lines.append(f"<span class='small muted'>{a_case(one.cost_pico)} · {seconds(one.latency_ms)}</span>")
    if one.state is State.UNDECIDED and one.more_cases:
        lines.append(f"<span class='small'>about {one.more_cases:,} more cases would decide</span>")
    if notes and one.words:
        lines.append(f"<span class='small'>{escape(one.words)}</span>")
    return f'<td class="cell {one.state.value}{won}">{"<br>".join(lines)}</td>'


def _slices(finding: Finding) -> str:
    tiers = [one.tier for one in finding.tiers if one.cases]
    head = "".join(f'<th class="n">{escape(tier)}</th>' for tier in tiers)
    rows = "".join(
        f"<tr><td>{escape(part.tag)}</td>{''.join(_part(part.tiers.get(tier)) for tier in tiers)}</tr>"
        for part in finding.slices
    )
    title = f"<h3>{escape(finding.task)} <span class='muted small'>{escape(finding.suite)}</span></h3>"
    return f'{title}<div class="wide"><table class="tight"><tr><th>tag</th>{head}</tr>{rows}</table></div>'


def _part(counts: tuple[int, int] | None) -> str:
    if counts is None or not counts[1]:
        return '<td class="n muted">-</td>'
    passed, cases = counts
    return f'<td class="n">{passed / cases:.0%} <span class="muted small">{passed}/{cases}</span></td>'


def _pairs(finding: Finding) -> str:
    said = "".join(_pair(pair, "open" if number < ANSWERS_OPEN else "") for number, pair in enumerate(finding.pairs))
    count = f"{len(finding.pairs)} case{'' if len(finding.pairs) == 1 else 's'}"
    return f"<h3>{escape(finding.task)} <span class='muted small'>{escape(finding.suite)}, {count}</span></h3>{said}"


def _pair(pair: Pair, opened: str) -> str:
    told = f"<b>{escape(pair.case)}</b>: {escape(pair.better)} passes, {escape(pair.worse)} fails"
    who = f"{pair.better}/{pair.worse}"
    again = (
        f"<p class='small muted'>Asked again, {escape(who)}: {escape(', '.join(pair.repeats))}.</p>"
        if pair.repeats
        else ""
    )
    sides = (
        _side("expected", pair.expected),
        _side(f"✓ {pair.better}", pair.better_text),
        _side(f"✗ {pair.worse}", pair.worse_text),
    )
    why = f"<p class='small'>{escape(pair.why)}</p>" if pair.why else ""
    return f"<details {opened}><summary>{told}</summary>{why}<div class='sides'>{''.join(sides)}</div>{again}</details>"


def _side(title: str, answer: str) -> str:
    rest = len(answer) - TEXT_MAX
    more = f"<span class='small muted'>and {rest:,} characters more</span>" if rest > 0 else ""
    shown = escape(answer[:TEXT_MAX]) or "<i>nothing</i>"
    return f"<div><span class='small muted'>{escape(title)}</span><pre>{shown}</pre>{more}</div>"


def _measured(finding: Finding) -> Iterator[str]:
    judged = ", graded by a model" if finding.judged else ""
    yield f"<td>{escape(finding.suite)}{judged}</td><td>{escape(finding.claim.words)}</td>"
    figures = (f"{finding.cases_total:,}", f"{finding.calls:,}", f"{saved(finding):.0%}")
    yield from (f'<td class="n">{told}</td>' for told in figures)
    yield from (f'<td class="n">{dollars(pico)}</td>' for pico in (finding.spent_pico, finding.worth_pico))
    yield f"<td><code>{escape(finding.suite_hash)}</code></td>"
