"""`tierwise cache plan`: where a prompt should be marked, what that costs and saves, and what to change in it.

Rule: reads a file and prints; the figures come from decide/forecast.py and the files of policies/. No network.
"""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

import click
import msgspec
from rich.table import Table
from rich.text import Text

from ..clock import SystemClock
from ..decide.budget import usd
from ..decide.forecast import Forecast, Traffic, forecast, volatile
from ..decide.policy import Rulebook
from ..decide.price import price_at
from ..errors import PolicyError, RequestError
from ..policyfile import load
from ..settings import environment, load_settings
from ..vocabulary import Ask, Path
from ..vocabulary.prefix import SYSTEM, TOOLS
from ..wire.ask import read_messages
from ..wire.prefix import read_path
from .wide import console_for

COLUMNS = ("tier", "model", "marks", "first call", "later call", "uncached", "an hour", "uncached/h", "pays from")


@click.group()
def cache() -> None:
    """The API's prompt cache: plan what to mark.

    \b
    Example: tierwise cache plan prompt.json --per-hour 120
    """


@cache.command()
@click.argument("file", type=click.Path(path_type=File, exists=True, dir_okay=False))
@click.option(
    "--per-hour",
    type=click.FloatRange(min=0.01, max=1e7),
    required=True,
    help="Requests that share its tools and system.",
)
@click.option(
    "--turns",
    type=click.FloatRange(min=1, max=1e4),
    default=1.0,
    show_default=True,
    help="Of a conversation, on average.",
)
@click.option("--policy", type=click.Path(path_type=File), help="Whose tiers; else the one that serves.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(file: File, per_hour: float, turns: float, policy: File | None, as_json: bool) -> None:
    """Where to mark a prompt, what it costs cold and warm on each tier, and from when that pays.

    FILE is a body of the Messages API as JSON, or a plain text, which is taken for the system prompt.

    \b
    Examples:
      tierwise cache plan request.json --per-hour 120 --turns 6
      tierwise cache plan system.txt --per-hour 4 --json
    """
    settings = load_settings()
    try:
        rules = load(policy or settings.policy, settings.models, settings.prices, environment=environment())
        ask = _read(file)
    except PolicyError as error:
        raise click.ClickException("\n".join(error.problems)) from None
    except RequestError as error:
        raise click.ClickException(f"{file}: {error.message}") from None
    path = read_path(ask.fields, ask.facts)
    if path is None:
        raise click.ClickException(f"{file}: its blocks cannot be read")
    found = _forecasts(path, Traffic(per_hour=per_hour, turns=turns), rules)
    advice = _advice(ask, found, per_hour)
    if as_json:
        tiers = [{"tier": tier, **_as_data(one)} for tier, one in found]
        click.echo(msgspec.json.encode({"per_hour": per_hour, "turns": turns, "tiers": tiers, "advice": advice}))
    else:
        _show(found, advice, per_hour)


def _read(file: File) -> Ask:
    data = file.read_bytes()
    try:
        fields: Any = msgspec.json.decode(data)
    except msgspec.DecodeError:
        fields = None
    if not isinstance(fields, dict):
        fields = {"system": data.decode("utf-8", "replace")}
    fields = {"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "."}], **fields}
    return read_messages(msgspec.json.encode(fields), {})


def _forecasts(path: Path, traffic: Traffic, rules: Rulebook) -> list[tuple[str, Forecast]]:
    now_ms, found = SystemClock().now_ms(), []
    for tier in rules.tier_order:
        model = rules.ids[rules.policy.tiers[tier].model]
        price = price_at(model, rules.prices, now_ms, [])
        assert price is not None, "the loader lets no model in without a price"
        found.append((tier, forecast(path, traffic, (model, rules.models[model]), price, rules.policy.cache)))
    return found


def _advice(ask: Ask, found: list[tuple[str, Forecast]], per_hour: float) -> list[str]:
    advice = []
    lines = _system_lines(ask)
    seen = volatile(lines)
    for at, why in seen:
        advice.append(
            f"Line {at + 1} of the system prompt looks like {why}: what follows it is cached only while it stays the "
            "same. Move it to the end of the prompt, or name it in cache.varying."
        )
    short: dict[int, list[str]] = {}
    for tier, one in found:
        if one.missing_tokens and one.pays_from_per_hour is None:
            short.setdefault(one.missing_tokens, []).append(tier)
        elif not (one.marks or one.own) and one.pays_from_per_hour is not None:
            advice.append(
                f"On {tier} {per_hour:g} requests an hour are too few: caching pays from about "
                f"{one.pays_from_per_hour:.1f}."
            )
    for missing, tiers in short.items():
        advice.append(
            f"On {', '.join(tiers)} tools and system are about {missing:,} tokens short of what is surely cached: move "
            "examples or reference text that every request needs into the system prompt."
        )
    return advice


def _system_lines(ask: Ask) -> list[str]:
    system: Any = msgspec.json.decode(ask.fields["system"]) if "system" in ask.fields else ""
    if isinstance(system, str):
        return system.split("\n")
    texts = [block.get("text", "") for block in system if isinstance(block, dict)]
    return "\n".join(text for text in texts if isinstance(text, str)).split("\n")


def _as_data(one: Forecast) -> dict[str, object]:
    return {
        "model": one.model,
        "prompt_tokens": one.tokens,
        "marks": [msgspec.to_builtins(mark) for mark in one.marks],
        "own_marks": [msgspec.to_builtins(mark) for mark in one.own],
        "cold_usd": usd(one.cold_pico),
        "warm_usd": usd(one.warm_pico),
        "uncached_usd": usd(one.plain_pico),
        "hour_usd": usd(one.hour_pico),
        "uncached_hour_usd": usd(one.plain_hour_pico),
        "pays_from_per_hour": one.pays_from_per_hour,
        "missing_tokens": one.missing_tokens,
    }


def _show(found: list[tuple[str, Forecast]], advice: list[str], per_hour: float) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("tier", "model", "marks") else "right", no_wrap=True)
    for tier, one in found:
        table.add_row(*(Text(cell) for cell in (tier, one.model, *_cells(one))))
    tokens = found[0][1].tokens if found else 0
    console = console_for(table)
    console.print(f"About {tokens:,} tokens, {per_hour:g} requests an hour. Input only, USD.\n", soft_wrap=True)
    console.print(table)
    for line in advice:
        console.print(Text(f"\n- {line}"), soft_wrap=True)


def _cells(one: Forecast) -> tuple[str, ...]:
    told = [f"{_place(mark.turn)} {mark.ttl} ({mark.tokens:,})" for mark in one.marks]
    told += [f"{_place(mark.turn)} {mark.ttl} ({mark.tokens:,}, yours)" for mark in one.own]
    marks = ", ".join(told) or "none"
    pays = "never" if one.pays_from_per_hour is None else f"{one.pays_from_per_hour:.1f}/h"
    money = (one.cold_pico, one.warm_pico, one.plain_pico, one.hour_pico, one.plain_hour_pico)
    return (marks, *(usd(pico) for pico in money), pays)


def _place(turn: int) -> str:
    return {TOOLS: "tools", SYSTEM: "system"}.get(turn, f"turn {turn + 1}")
