"""`tierwise explain`: why a prompt would go where, or why a past request went where it did.

Rule: it shows what /explain or the ledger says; it decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..ledger.report import NoLedger
from ..settings import load_settings
from .asking import address_of, ask
from .past import past_request, show_past
from .wide import console_for

Told = dict[str, object]


@click.command()
@click.argument("prompt", required=False)
@click.option("--request-id", default=None, help="A past request, from the ledger; no service is asked.")
@click.option("--url", default=None, help="The service. Default: this machine's, by the settings.")
@click.option("--model", default="auto", show_default=True, help="auto, a tier or a model id.")
@click.option("--task", default=None, help="A task of the policy.")
@click.option("--feature", default=None, help="The feature that asks.")
@click.option("--user", default=None, help="The user who asks.")
@click.option("--session", default=None, help="The conversation.")
@click.option("--workload", default=None, help="interactive, background or batch.")
@click.option("--body", "body_file", type=click.File("rb"), default=None, help="A whole request body, instead.")
@click.option("--key", envvar="TIERWISE_KEY", default=None, help="A key of the service, where it wants one.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the ledger is; else TIERWISE_DATA_DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as it is.")
def explain(prompt: str | None, request_id: str | None, as_json: bool, data_dir: Path | None, **asked: object) -> None:
    """Show the whole decision for a prompt, without the call; or for a past request, from the ledger.

    \b
    Examples:
      tierwise explain "Prove that there are infinitely many primes"
      tierwise explain "Where is my parcel?" --feature support
      tierwise explain --request-id req_01HZX
    """
    if request_id is not None:
        _explain_past(request_id, data_dir, as_json)
        return
    body = _body(prompt, asked)
    settings = load_settings()
    url, key = asked["url"], asked["key"]
    told = ask(address_of(str(url) if url else None, settings), "POST", "/explain", str(key) if key else None, body)
    if as_json:
        click.echo(told)
    else:
        _show(msgspec.json.decode(told, type=dict[str, object]))


PLACES = {-2: "tools", -1: "system"}


def _body(prompt: str | None, asked: dict[str, object]) -> bytes:
    file = asked["body_file"]
    words = {name: asked[name] for name in ("task", "feature", "user", "session", "workload") if asked[name]}
    if file is not None:
        return _with_words(file.read(), words)  # type: ignore[attr-defined]
    if prompt is None:
        raise click.UsageError("say what to explain: a prompt, --body FILE, or --request-id ID")
    return msgspec.json.encode({"prompt": prompt, "model": asked["model"], "router": words})


def _with_words(body: bytes, words: dict[str, object]) -> bytes:
    """The body, with what the options say of it."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw]) if words else {}
        given = msgspec.json.decode(fields["router"], type=dict[str, object]) if "router" in fields else {}
    except msgspec.DecodeError:
        return body  # the service says what is wrong with it
    return msgspec.json.encode({**fields, "router": {**given, **words}}) if words else body


def _explain_past(request_id: str, data_dir: Path | None, as_json: bool) -> None:
    try:
        told = past_request(data_dir or load_settings().data_dir, request_id)
    except NoLedger as error:
        raise click.ClickException(str(error)) from None
    if told is None:
        raise click.ClickException(f"the ledger has no request {request_id!r}; it is the x-request-id of an answer")
    if as_json:
        click.echo(msgspec.json.encode(told))
    else:
        show_past(told)


def _show(told: Told) -> None:
    console = Console(highlight=False)
    console.print(Text(f"{told['tier'] or told['model']}: {told['reason']}", style="bold"), soft_wrap=True)
    for line in _steps(told):
        console.print(Text(line), soft_wrap=True)
    for table in (_rules(told), _candidates(told), _marks(told), _ladder(told)):
        if table.row_count:
            console_for(table).print(table)


def _steps(told: Told) -> list[str]:
    facts, verdict = told["facts"], told["verdict"]
    assert isinstance(facts, dict), "the service's own shape"
    said = [f"policy   {told['policy']}{' (the candidate of a rollout)' if told['candidate'] else ''}"]
    said.append(
        f"request  about {facts['input_tokens_estimate']:,} tokens, {facts['turns']} turns, {facts['tools']} tools, "
        f"{facts['images']} images, {facts['documents']} documents"
    )
    if isinstance(verdict, dict):
        known = (
            f"{verdict['task']}, {verdict['difficulty']}"
            if verdict["difficulty"]
            else verdict["detail"] or "none needed"
        )
        said.append(f"verdict  {known} ({verdict['source']})")
    said.append(f"pin      {'this conversation is on ' + str(told['pinned']) if told['pinned'] else 'none'}")
    measured = told["measured"]
    if isinstance(measured, list) and measured:
        said += [f"measured {one['tier']} {one['words']}" for one in measured]
    said.append(f"time     at most {told['deadline_s']:g} s")
    return said


def _rules(told: Told) -> Table:
    return _table(
        told["rules"],
        "Rules, in order",
        {
            "rule": lambda one: one["rule"],
            "matched": lambda one: "yes" if one["matched"] else "no",
            "why": lambda one: one["why"],
        },
    )


def _candidates(told: Told) -> Table:
    return _table(
        told["candidates"],
        "What the prompt costs, USD",
        {
            "tier": lambda one: ("> " if one["chosen"] else "  ") + one["tier"],
            "model": lambda one: one["model"],
            "cache cold": lambda one: one["prompt_usd_cold"],
            "cache warm": lambda one: one["prompt_usd_warm"] if one["cacheable_tokens"] else "nothing to cache",
            "now": lambda one: (
                one["prompt_usd_now"] + (f" ({one['warm_tokens']:,} warm)" if one["warm_tokens"] else "")
            ),
            "1k out": lambda one: one["usd_per_1k_output"],
            "takes it": lambda one: one["takes_it"],
        },
    )


def _marks(told: Told) -> Table:
    """Of the model that is asked first."""
    ladder = told["ladder"]
    assert isinstance(ladder, list), "the service's own shape"
    cache = ladder[0].get("cache") if ladder else None
    return _table(
        cache["marks"] if isinstance(cache, dict) else [],
        "Cache marks",
        {
            "after": lambda one: f"{PLACES.get(one['turn'], 'turn ' + str(one['turn']))}",
            "tokens": lambda one: f"{one['tokens']:,}",
            "lifetime": lambda one: one["ttl"],
            "again in 5 min": lambda one: f"{one['chance_5m']:.0%}",
            "in an hour": lambda one: f"{one['chance_1h']:.0%}",
        },
    )


def _ladder(told: Told) -> Table:
    return _table(
        told["ladder"],
        "Asked in this order, each when the one above fails",
        {
            "tier": lambda one: one["tier"] or "-",
            "model": lambda one: one["model"],
            "at most, USD": lambda one: one.get("worst_cost_usd", "-"),
            "what is changed": lambda one: (
                one.get("refused") or "\n".join(f"{edit['key']}: {edit['why']}" for edit in one["edits"])
            ),
        },
    )


def _table(rows: object, title: str, columns: dict[str, Callable[[Any], object]]) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name)
    assert isinstance(rows, list), "the service's own shape"
    for row in rows:
        table.add_row(*(Text(str(read(row))) for read in columns.values()))
    return table
