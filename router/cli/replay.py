"""`tierwise replay`: past traffic through another policy, without any network.

Rule: reads the ledger, feeds decide/replay.py, and shows; nothing is decided or added up here.
"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from ..clock import SystemClock
from ..decide.budget import usd
from ..decide.classify import instructions
from ..decide.replay import Move, Replay, Spent
from ..errors import PolicyError
from ..ledger.history import Spent as Kept
from ..ledger.history import count_decisions, decisions
from ..ledger.report import NoLedger
from ..policyfile import load
from ..settings import environment, load_settings
from ..vocabulary import Usage
from .replay_page import page
from .usage import Since

MOVES_SHOWN = 20
SHOWN_EVERY = 5_000


@click.command()
@click.option("--policy", type=click.Path(path_type=Path), required=True, help="The policy to try.")
@click.option(
    "--since", "since_ms", type=Since(), default="7d", show_default=True, help="From a span ago or a UTC day on."
)
@click.option("--html", type=click.Path(path_type=Path), default=None, help="Also write a page with plots here.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the ledger is; else TIERWISE_DATA_DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def replay(policy: Path, since_ms: int, html: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Run the ledger's requests through a policy: who moves, why, and what it would have cost.

    Costs are the tokens that were used, at the other model's exact price. What would need a text or a verdict that
    nobody kept is counted as unknown.

    \b
    Example: tierwise replay --policy policies/next.yaml --since 7d --html replay.html
    """
    settings = load_settings()
    try:
        rules = load(policy, settings.models, settings.prices, environment=environment())
        told = Told(Replay(rules), asks_differently=_asks_differently(policy, settings.policy))
        told.run(data_dir or settings.data_dir, since_ms, quiet=as_json)
    except (PolicyError, NoLedger) as error:
        raise click.ClickException(str(error)) from None
    if html is not None:
        html.write_text(page(told.replay, told.as_data(), since_ms), encoding="utf-8")
    if as_json:
        click.echo(msgspec.json.encode(told.as_data()))
    else:
        _show(told, html)


class Told:
    """A replay, and what is told of it."""

    def __init__(self, replay: Replay, *, asks_differently: bool) -> None:
        self.replay = replay
        self.seconds = 0.0
        self.asks_differently = asks_differently

    def run(self, data_dir: Path, since_ms: int, *, quiet: bool) -> None:
        """Raises NoLedger."""
        clock = SystemClock()
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
            bar = progress.add_task("replay", total=count_decisions(data_dir, since_ms))
            began_s = clock.monotonic()
            for number, (past, kept) in enumerate(decisions(data_dir, since_ms), 1):
                self.replay.add(past, _spent(kept))
                if number % SHOWN_EVERY == 0:
                    progress.update(bar, completed=number)
            self.seconds = clock.monotonic() - began_s

    def as_data(self) -> dict[str, object]:
        done = self.replay
        return {
            "policy": done.rules.source,
            "hash": done.rules.hash,
            "requests": done.requests,
            "known": done.known,
            "unknown": dict(done.unknown.most_common()),
            "refused": dict(done.refused.most_common()),
            "moved": done.moved,
            "cost_usd": {"before": usd(done.before.pico), "after": usd(done.after.pico)},
            "tiers": {
                tier: {
                    "before": done.before.by_tier[tier],
                    "after": done.after.by_tier[tier],
                    "before_usd": usd(done.before.pico_by_tier[tier]),
                    "after_usd": usd(done.after.pico_by_tier[tier]),
                }
                for tier in self.tiers()
            },
            "moves": [
                {
                    "from": before,
                    "to": after,
                    "why": reason,
                    "requests": move.requests,
                    "before_usd": usd(move.before_pico),
                    "after_usd": usd(move.after_pico),
                }
                for (before, after, reason), move in self.moves()
            ],
            "asks_differently": self.asks_differently,
            "seconds": round(self.seconds, 3),
            "decisions_per_second": round(done.requests / self.seconds) if self.seconds else None,
        }

    def tiers(self) -> list[str]:
        """The policy's own, in their order, then whatever else was asked."""
        seen = {**self.replay.before.by_tier, **self.replay.after.by_tier}
        own = [tier for tier in self.replay.rules.tier_order if tier in seen]
        return own + sorted(set(seen) - set(own))

    def moves(self) -> list[tuple[tuple[str, str, str], Move]]:
        return sorted(self.replay.moves.items(), key=lambda move: -move[1].requests)


def _spent(kept: tuple[Kept, ...]) -> Spent:
    """The tokens of the answer, which is the last attempt that was billed; the cost of all of them."""
    usage, answered = Usage(), False
    for row in kept:
        if row.billed in ("settled", "estimated"):
            answered = True
            usage = Usage(
                input_tokens=row.input_tokens,
                output_tokens=row.output_tokens,
                cache_read_tokens=row.cache_read_tokens,
                cache_write_5m_tokens=row.cache_write_5m_tokens,
                cache_write_1h_tokens=row.cache_write_1h_tokens,
            )
    return Spent(usage=usage, pico=sum(row.cost_pico for row in kept), answered=answered)


def _asks_differently(policy: Path, current: Path) -> bool:
    """Would the policy put another question to its classifier than the one that serves?"""
    try:
        return instructions(load(policy)) != instructions(load(current))
    except PolicyError:
        return False


def _show(told: Told, html: Path | None) -> None:
    console, done = Console(highlight=False), told.replay
    rate = f"{done.requests / told.seconds:,.0f} a second" if told.seconds else "at once"
    console.print(
        Text(f"{done.requests:,} requests through {done.rules.source} ({done.rules.hash}), {rate}."), soft_wrap=True
    )
    if not done.requests:
        console.print("The ledger has no decisions from then on.")
        return
    console.print(_tier_table(told))
    change = _change(done.before.pico, done.after.pico)
    console.print(
        Text(f"Cost: {usd(done.before.pico)} USD then, {usd(done.after.pico)} USD under this policy{change}.")
    )
    console.print(Text(f"{done.moved:,} of {done.known:,} move ({done.moved / max(1, done.known):.1%})."))
    if done.moves:
        console.print(_move_table(told))
    for counted, what in ((done.unknown, "cannot be known"), (done.refused, "would be refused")):
        for reason, count in counted.most_common(5):
            console.print(Text(f"{count:,} {what}: {reason}."), soft_wrap=True)
    if told.asks_differently:
        console.print(
            Text("This policy asks its classifier differently: verdicts were taken as they were given then."),
            soft_wrap=True,
        )
    if html is not None:
        console.print(Text(f"Plots: {html}"), soft_wrap=True)


def _change(before: int, after: int) -> str:
    return f" ({(after - before) / before:+.1%})" if before else ""


def _tier_table(told: Told) -> Table:
    done, table = told.replay, Table("tier")
    for heading in ("then", "share", "USD", "now", "share", "USD"):
        table.add_column(heading, justify="right")
    for tier in told.tiers():
        cells: list[str] = []
        for side in (done.before, done.after):
            count = side.by_tier[tier]
            cells += [f"{count:,}", f"{count / max(1, done.known):.1%}", usd(side.pico_by_tier[tier])]
        table.add_row(tier, *cells)
    return table


def _move_table(told: Told) -> Table:
    table = Table("from", "to")
    table.add_column("requests", justify="right")
    table.add_column("USD then", justify="right")
    table.add_column("USD now", justify="right")
    table.add_column("why")
    for (before, after, reason), move in told.moves()[:MOVES_SHOWN]:
        table.add_row(before, after, f"{move.requests:,}", usd(move.before_pico), usd(move.after_pico), Text(reason))
    return table
