"""`tierwise explain`: why a prompt would go where, asked of a running service.

Rule: it shows what /explain says; it decides nothing itself.
"""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import click
import msgspec
from rich.console import Console
from rich.table import Table

from ..settings import load_settings


@click.command()
@click.argument("prompt")
@click.option("--url", default=None, help="The service. Default: this machine's, by the settings.")
@click.option("--model", default="auto", show_default=True, help="auto, a tier or a model id.")
@click.option("--task", default=None, help="A task of the policy.")
@click.option("--feature", default=None, help="The feature that asks.")
@click.option("--key", envvar="TIERWISE_KEY", default=None, help="A key of the service, where it wants one.")
@click.option("--json", "as_json", is_flag=True, help="Print the service's answer as it is.")
def explain(prompt: str, url: str | None, key: str | None, as_json: bool, **words: str | None) -> None:
    """Show the whole decision for a prompt, without the call.

    \b
    Example: tierwise explain "Prove that there are infinitely many primes"
    """
    settings = load_settings()
    address = url or f"http://{settings.host}:{settings.port}"
    model = words.pop("model")
    body = msgspec.json.encode({"prompt": prompt, "model": model, "router": words})
    status, told = _ask(address, body, key)
    if status != 200:
        raise click.ClickException(msgspec.json.decode(told)["error"]["message"])
    if as_json:
        click.echo(told)
    else:
        _show(msgspec.json.decode(told))


def _ask(address: str, body: bytes, key: str | None) -> tuple[int, bytes]:
    target = urlsplit(address)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.hostname or "127.0.0.1", target.port, timeout=30)
    headers = {"content-type": "application/json"} | ({"x-api-key": key} if key else {})
    try:
        connection.request("POST", "/explain", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except OSError as error:
        raise click.ClickException(
            f"no service answers at {address} ({error}); start one with `tierwise serve`"
        ) from None
    finally:
        connection.close()


def _show(told: dict[str, object]) -> None:
    console = Console()
    console.print(f"[bold]{told['tier'] or told['model']}[/bold]: {told['reason']}", highlight=False)
    verdict, facts = told["verdict"], told["facts"]
    assert isinstance(facts, dict), "the service's own shape"
    if isinstance(verdict, dict):
        said = f"{verdict['task']}, {verdict['difficulty']}" if verdict["difficulty"] else verdict["detail"]
        console.print(f"verdict: {said} ({verdict['source']})", highlight=False)
    console.print(f"prompt: about {facts['input_tokens_estimate']} tokens, policy {told['policy']}", highlight=False)
    table = Table("if it fails, next", "model", "worst cost, USD", "what is changed")
    rungs = told["ladder"]
    assert isinstance(rungs, list), "the service's own shape"
    for rung in rungs:
        changes = "\n".join(f"{edit['key']}: {edit['why']}" for edit in rung.get("edits", []))
        table.add_row(rung["tier"], rung["model"], rung.get("worst_cost_usd", "-"), changes or rung.get("refused", ""))
    console.print(table)
