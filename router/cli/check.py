"""`tierwise check`: is a policy right, and what does it mean?

Rule: reads files and prints; the loading and every check live in router/policyfile/.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..clock import SystemClock
from ..decide.policy import Rulebook
from ..decide.price import price_at
from ..errors import PolicyError
from ..policyfile import load
from ..settings import load_settings
from ..vocabulary import PICO_PER_USD, Difficulty


@click.command()
@click.argument("policy", type=click.Path(path_type=Path), required=False)
@click.option("--models", type=click.Path(path_type=Path), help="models.yaml; else beside the policy, else bundled.")
@click.option("--prices", type=click.Path(path_type=Path), help="prices.yaml; else beside the policy, else bundled.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(policy: Path | None, models: Path | None, prices: Path | None, as_json: bool) -> None:
    """Check a policy and show what it does. Leaves with 1 when something is wrong.

    Without an argument: the policy that `tierwise serve` would start with.

    \b
    Example:
      tierwise check policies/default.yaml
    """
    if policy is None:
        settings = load_settings()
        policy, models, prices = settings.policy, models or settings.models, prices or settings.prices
    now_ms = SystemClock().now_ms()
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    try:
        rules = load(policy, models, prices, today=today)
    except PolicyError as error:
        _show_problems(policy, error.problems, as_json)
        raise SystemExit(1) from None
    if as_json:
        click.echo(msgspec.json.encode(_as_data(rules)))
    else:
        _show(rules, now_ms)


def _show_problems(policy: Path, problems: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"ok": False, "policy": str(policy), "problems": problems}))
        return
    click.echo("\n\n".join(problems), err=True)
    click.echo(f"\n{len(problems)} problem{'s' if len(problems) != 1 else ''}", err=True)


def _as_data(rules: Rulebook) -> dict[str, object]:
    return {
        "ok": True,
        "policy": rules.source,
        "hash": rules.hash,
        "prices_hash": rules.prices.hash,
        "default": {"tier": rules.default_tier, "task": rules.default_task},
        "tiers": {name: rules.policy.tiers[name] for name in rules.tier_order},
        "tasks": {name: _tiers_of(name, rules) for name in rules.tasks},
        "difficulty": rules.difficulty,
        "deadline_s": rules.deadline_s,
        "warnings": rules.warnings,
    }


def _tiers_of(task: str, rules: Rulebook) -> dict[str, str]:
    """Where each difficulty of this task goes, the cap on verdicts included."""
    cap = rules.policy.classifier.cap_tier or rules.tier_order[-1]
    wanted = rules.difficulty | dict(rules.tasks[task].difficulty)
    return {str(difficulty): _lower(wanted[difficulty], cap, rules.tier_order) for difficulty in Difficulty}


def _lower(one: str, other: str, order: tuple[str, ...]) -> str:
    return one if order.index(one) <= order.index(other) else other


def _show(rules: Rulebook, now_ms: int) -> None:
    console = Console(highlight=False)
    console.print(Text(f"{rules.source}: right. Policy {rules.hash}, prices {rules.prices.hash}."), soft_wrap=True)
    console.print(_tier_table(rules, now_ms), _task_table(rules))
    for line in _in_words(rules):
        console.print(Text(line), soft_wrap=True)
    for warning in rules.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)


def _tier_table(rules: Rulebook, now_ms: int) -> Table:
    table = Table(title="Tiers, cheapest first", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("tier", "model", "thinking", "effort"):
        table.add_column(heading, no_wrap=True)
    for heading in ("in $/M", "out $/M"):
        table.add_column(heading, justify="right")
    for name in rules.tier_order:
        tier = rules.policy.tiers[name]
        price = price_at(tier.model, rules.prices, now_ms, [])
        assert price is not None, "the loader lets no model in without a price"
        prices = (_usd_a_million(price.rates.input), _usd_a_million(price.rates.output))
        table.add_row(name, tier.model, tier.thinking, tier.effort or "-", *prices)
    return table


def _task_table(rules: Rulebook) -> Table:
    table = Table(title="\nTasks", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("task", "simple", "complex", "edge case"):
        table.add_column(heading, no_wrap=True)
    table.add_column("max_tokens", justify="right")
    table.add_column("deadline", justify="right")
    for name, task in rules.tasks.items():
        deadline_s = task.timeout_s or rules.deadline_s["interactive"]
        table.add_row(name, *_tiers_of(name, rules).values(), str(task.max_tokens), f"{deadline_s:g} s")
    return table


def _in_words(rules: Rulebook) -> list[str]:
    classifier, fallbacks = rules.policy.classifier, rules.policy.fallbacks
    asked = f"asks {classifier.model} for {classifier.deadline_ms} ms" if classifier.enabled else "is off"
    cap = f", never above {classifier.cap_tier}" if classifier.cap_tier and classifier.enabled else ""
    ceiling = fallbacks.ceiling or rules.tier_order[-1]
    last = "a canned reply" if fallbacks.canned else "an honest error"
    return [
        f"\nWithout a verdict: tier {rules.default_tier}, task {rules.default_task}. The classifier {asked}{cap}.",
        f"When a call fails: {fallbacks.attempts} attempts, up to {ceiling}, then {last}.",
    ]


def _usd_a_million(pico: int) -> str:
    cents = pico * 1_000_000 * 100 // PICO_PER_USD
    return f"{cents // 100}.{cents % 100:02}"
