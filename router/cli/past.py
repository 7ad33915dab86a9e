"""A past request, as the ledger tells it: what was decided and why, and what each call came to.

Rule: reads and prints; nothing is decided anew, because the policy of that day may be gone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..decide.budget import usd
from ..decide.price import input_estimate
from ..ledger.history import decision
from ..vocabulary import Decided, LedgerRow

CALL = ("number", "role", "model", "outcome", "billed", "status", "latency_ms", "upstream_request_id")


def past_request(data_dir: Path, request_id: str) -> dict[str, object] | None:
    """None when the ledger has nothing of it. Raises NoLedger."""
    found, rows = decision(data_dir, request_id)
    if found is None and not rows:
        return None
    return {
        "request_id": request_id,
        "decided": None if found is None else _decided(found),
        "calls": [_call(row) for row in rows],
        "cost_usd": usd(sum(row.cost_pico for row in rows)),
    }


def show_past(told: dict[str, object]) -> None:
    console = Console(highlight=False)
    known, calls = told["decided"], told["calls"]
    assert isinstance(calls, list), "made above"
    if isinstance(known, dict):
        console.print(Text(f"{known['tier'] or known['model']}: {known['reason']}", style="bold"), soft_wrap=True)
        for line in _steps(known):
            console.print(Text(line), soft_wrap=True)
    else:
        console.print("What was decided is not in the ledger; the calls are.")
    table = Table(title="\nCalls", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in (*CALL, "USD"):
        table.add_column(name.removesuffix("_ms").replace("_", " "))
    for call in calls:
        table.add_row(*(Text(str(call[name] if call[name] is not None else "-")) for name in CALL), call["cost_usd"])
    if calls:
        console.print(table)
    console.print(Text(f"In all {told['cost_usd']} USD."))


def _decided(found: Decided) -> dict[str, object]:
    verdict = found.verdict
    return {
        "at": datetime.fromtimestamp(found.at_ms / 1000, UTC).isoformat(timespec="seconds"),
        "tier": found.tier,
        "model": found.model,
        "task": found.task,
        "reason": found.reason,
        "rule": found.rule,
        "pinned": found.pinned,
        "policy": found.policy_hash,
        "candidate": found.candidate,
        "tenant": found.tenant,
        "door": found.door,
        "input_tokens_estimate": input_estimate(found.facts),
        "verdict": None if verdict is None else msgspec.to_builtins(verdict),
        "facts": msgspec.to_builtins(found.facts),
        "words": msgspec.to_builtins(found.words),
        "headers": dict(found.headers),
        "asked_of_the_text": dict(found.texts),
        "edits": found.edits,
    }


def _steps(known: dict[str, object]) -> list[str]:
    facts, words, verdict = known["facts"], known["words"], known["verdict"]
    assert isinstance(facts, dict), "made above"
    assert isinstance(words, dict), "made above"
    arm = " (the candidate of a rollout)" if known["candidate"] else ""
    said = [f"when     {known['at']}, at /{known['door']} for {known['tenant']}", f"policy   {known['policy']}{arm}"]
    kept = {"turns": "turns", "tool_count": "tools", "image_count": "images", "document_count": "documents"}
    shape = "".join(f", {facts[name]} {word}" for name, word in kept.items() if name in facts)
    said.append(
        f"request  about {known['input_tokens_estimate']:,} tokens{shape}, model {facts.get('model') or 'auto'}"
    )
    if words:
        said.append(f"caller   {', '.join(f'{name} {value}' for name, value in words.items())}")
    said.append(f"rule     {known['rule'] or 'none matched'}")
    if isinstance(verdict, dict):
        detail = verdict.get("detail", "")
        judged = f"{verdict['task']}, {verdict['difficulty']}" if verdict.get("difficulty") else detail or "none needed"
        said.append(f"verdict  {judged} ({verdict['source']})")
    said.append(f"pin      {'the conversation was on ' + str(known['pinned']) if known['pinned'] else 'none'}")
    edits = known["edits"]
    assert isinstance(edits, tuple), "made above"
    said += [f"changed  {edit}" for edit in edits]
    return said


def _call(row: LedgerRow) -> dict[str, object]:
    figures = {name: getattr(row, name) for name in CALL}
    tokens = {name: getattr(row, name) for name in ("input_tokens", "output_tokens", "cache_read_tokens")}
    writes = row.cache_write_5m_tokens + row.cache_write_1h_tokens
    return {**figures, **tokens, "cache_write_tokens": writes, "reason": row.reason, "cost_usd": usd(row.cost_pico)}
