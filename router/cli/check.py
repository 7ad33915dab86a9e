"""`tierwise check`: is a policy right, does it decide what its own tests say, and what does it mean?

Rule: reads files and prints; the loading and every check live in router/policyfile/, the tests in decide/trial.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from ..clock import SystemClock
from ..decide.policy import Rulebook
from ..decide.trial import Tried, try_all
from ..errors import PolicyError
from ..ledger.history import most_used
from ..ledger.report import NoLedger
from ..policyfile import load
from ..settings import environment, load_settings
from .decision_table import as_data, show

LOOK_BACK_MS = 30 * 86_400_000


@click.command()
@click.argument("policy", type=click.Path(path_type=Path), required=False)
@click.option("--models", type=click.Path(path_type=Path), help="models.yaml; else beside the policy, else bundled.")
@click.option("--prices", type=click.Path(path_type=Path), help="prices.yaml; else beside the policy, else bundled.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--strict", is_flag=True, help="Leave with 1 for warnings too.")
def check(policy: Path | None, models: Path | None, prices: Path | None, as_json: bool, strict: bool) -> None:
    """Check a policy, run its tests and show what it does. Leaves with 1 when something is wrong.

    Without an argument: the policy that `tierwise serve` would start with. Where there is a ledger, limits are
    held against what was used in the last 30 days.

    \b
    Examples:
      tierwise check policies/default.yaml
      tierwise check --strict --json > check.json
    """
    settings = load_settings()
    if policy is None:
        policy, models, prices = settings.policy, models or settings.models, prices or settings.prices
    now_ms = SystemClock().now_ms()
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    used = _used(settings.data_dir, now_ms - LOOK_BACK_MS)
    try:
        rules = load(policy, models, prices, today=today, environment=environment(), used=used)
        candidate = _candidate(rules, models, prices)
    except PolicyError as error:
        _show_problems(policy, error.problems, as_json)
        raise SystemExit(1) from None
    tried = try_all(rules)
    if as_json:
        click.echo(msgspec.json.encode(as_data(rules, tried)))
    else:
        show(rules, tried, candidate, now_ms)
    raise SystemExit(_code(rules, tried, strict))


def _code(rules: Rulebook, tried: tuple[Tried, ...], strict: bool) -> int:
    failed = any(not one.passed for one in tried)
    return 1 if failed or (strict and rules.warnings) else 0


def _candidate(rules: Rulebook, models: Path | None, prices: Path | None) -> Rulebook | None:
    """The candidate of a rollout must be right too: a service would load neither."""
    rollout = rules.policy.rollout
    if rollout is None:
        return None
    return load(Path(rules.source).parent / rollout.candidate, models, prices, environment=environment())


def _used(data_dir: Path, since_ms: int) -> dict[str, tuple[int, int]]:
    try:
        return most_used(data_dir, since_ms)
    except NoLedger:
        return {}


def _show_problems(policy: Path, problems: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"ok": False, "policy": str(policy), "problems": problems}))
        return
    click.echo("\n\n".join(problems), err=True)
    click.echo(f"\n{len(problems)} problem{'s' if len(problems) != 1 else ''}", err=True)
