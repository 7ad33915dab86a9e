"""`tierwise rollout`: how a candidate policy does, and the two words that end it by hand.

Rule: asks a running service and shows what it says; the service decides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..settings import load_settings
from .asking import address_of, admin_key, ask

Option = Callable[[click.Command], click.Command]


def _where(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is."),
        click.option("--key", default=None, help="The admin key; else TIERWISE_ADMIN_KEY or the data directory's."),
        click.option("--url", default=None, help="The service. Default: this machine's, by the settings."),
    ):
        command = option(command)
    return command


@click.group()
def rollout() -> None:
    """Show, promote or abort the candidate policy that a running service tries.

    \b
    Examples:
      tierwise rollout status
      tierwise rollout promote
      tierwise rollout abort
    """


@rollout.command()
@_where
def status(url: str | None, key: str | None, as_json: bool) -> None:
    """Which policies serve, what the guardrails say, and why."""
    _told(url, key, as_json, "GET", "/admin/policy")


@rollout.command()
@_where
def promote(url: str | None, key: str | None, as_json: bool) -> None:
    """Serve everybody with the candidate, until the policy's file changes or it is aborted."""
    _told(url, key, as_json, "POST", "/admin/rollout/promote")


@rollout.command()
@_where
def abort(url: str | None, key: str | None, as_json: bool) -> None:
    """Serve everybody with the current policy. The candidate is tried again when its file changes."""
    _told(url, key, as_json, "POST", "/admin/rollout/abort")


def _told(url: str | None, key: str | None, as_json: bool, method: str, path: str) -> None:
    settings = load_settings()
    told = ask(address_of(url, settings), method, path, admin_key(key, settings))
    if as_json:
        click.echo(told)
    else:
        _show(msgspec.json.decode(told, type=dict[str, object]))


def _show(told: dict[str, object]) -> None:
    console = Console(highlight=False)
    console.print(Text(f"Policy {told['policy']} from {told['file']}."), soft_wrap=True)
    if told["trouble"]:
        console.print(
            Text(f"The file on the disk is wrong and does not serve: {told['trouble']}", style="red"), soft_wrap=True
        )
    state = told["rollout"]
    assert isinstance(state, dict), "the service's own shape"
    if state["stage"] == "none":
        console.print("No rollout: the policy names no candidate.")
        return
    since = datetime.fromtimestamp(state["since_ms"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    console.print(
        Text(f"Rollout of {state['candidate']}: {state['stage'].replace('_', ' ')} since {since}."), soft_wrap=True
    )
    console.print(Text(f"  {state['why']}"), soft_wrap=True)
    if state["stage"] == "promoted":
        console.print(
            Text(f"  To make it permanent, put {state['file']} in the place of {told['file']}."), soft_wrap=True
        )
    _show_figures(console, state)


def _show_figures(console: Console, state: dict[str, object]) -> None:
    guardrails, shadow, moves = state.get("guardrails"), state.get("shadow"), state.get("moves")
    if isinstance(guardrails, list) and state["stage"] == "canary":
        share, served = state["share"], state["served_by_candidate"]
        assert isinstance(share, float | int), "the service's own shape"
        console.print(f"{share:.0%} of the sessions; the candidate has served {served} requests.")
        for one in guardrails:
            console.print(Text(f"  {one['words']}", style="red" if one["worse"] else ""), soft_wrap=True)
    if isinstance(shadow, dict) and shadow:
        console.print(", ".join(f"{count} {kind}" for kind, count in sorted(shadow.items())) + " in the shadow.")
    if isinstance(moves, dict) and moves:
        table = Table("requests", "current -> candidate")
        for move, count in moves.items():
            table.add_row(str(count), Text(str(move)))
        console.print(table)
