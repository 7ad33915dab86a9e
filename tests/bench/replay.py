"""`python -m tests.bench.replay`: how many decisions a second a replay makes, on a ledger that is made here.

Rule: the ledger is a real one, written by the store; the figure is the one that `tierwise replay` itself prints.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from router.decide.choosing import Known, choose
from router.decide.policy import Rulebook
from router.decide.price import cost
from router.ledger.sqlite import FILE, SqliteStore
from router.policyfile import DEFAULT_POLICY, load
from router.vocabulary import Decided, Difficulty, LedgerRow, Usage, Verdict
from router.wire.ask import read_complete

BATCH = 5_000
START_MS = 1_795_000_000_000
STEP_MS = 3_000


def main() -> int:
    arguments = argparse.ArgumentParser(prog="make bench-replay", description=__doc__)
    arguments.add_argument("--requests", type=int, default=200_000)
    arguments.add_argument("--runs", type=int, default=5)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        fill(data_dir, chosen.requests)
        candidate = data_dir / "candidate.yaml"
        candidate.write_text(DEFAULT_POLICY.read_text().replace("complex: sonnet", "complex: haiku"))
        figures = [run(data_dir, candidate) for _ in range(chosen.runs)]
    rates = sorted(int(one["decisions_per_second"]) for one in figures)
    print(
        f"{chosen.requests:,} requests, {figures[0]['moved']:,} move; decisions a second in {chosen.runs} runs: {rates}"
    )
    print(json.dumps({"requests": chosen.requests, "decisions_per_second": rates[len(rates) // 2], "runs": rates}))
    return 0


def fill(data_dir: Path, number: int) -> None:
    """A ledger with so many decisions of the default policy, each with the attempt that it led to."""
    rules, dice = load(DEFAULT_POLICY), random.Random(7)
    store = SqliteStore(data_dir / FILE)
    store.open()
    for start in range(0, number, BATCH):
        made = [request(n, rules, dice) for n in range(start, min(number, start + BATCH))]
        store.put([row for _, row in made], [note for note, _ in made])
    store.close()


def request(number: int, rules: Rulebook, dice: random.Random) -> tuple[Decided, LedgerRow]:
    body = msgspec.json.encode({"prompt": "x" * dice.randrange(20, 3000)})
    ask = read_complete(body, {"x-router-feature": dice.choice(["support", "search", "mail"])})
    difficulty = dice.choices(list(Difficulty), [5, 3, 1])[0]
    verdict = Verdict(task=dice.choice(list(rules.tasks)), difficulty=difficulty, source="classifier")
    choice = choose(Known(facts=ask.facts), verdict, rules)
    at_ms, request_id = START_MS + number * STEP_MS, f"req_{number:08d}"
    usage = Usage(input_tokens=dice.randrange(50, 3000), output_tokens=dice.randrange(20, 900))
    named: dict[str, Any] = {
        "request_id": request_id,
        "tenant": "web",
        "policy_hash": rules.hash,
        "reason": choice.reason,
    }
    placed: dict[str, Any] = {"tier": choice.tier, "model": choice.model, "task": choice.task}
    note = Decided(at_ms=at_ms, facts=ask.facts, words=ask.words, verdict=verdict, **named, **placed)
    row = LedgerRow(
        attempt_id=f"att_{number:08d}",
        at_ms=at_ms + 3,
        outcome="answered",
        billed="settled",
        status=200,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_pico=cost(usage, choice.model, rules.prices, at_ms).pico,
        latency_ms=900,
        **named,
        **placed,
    )
    return note, row


def run(data_dir: Path, candidate: Path) -> dict[str, int]:
    """One replay by the command itself, in a process of its own."""
    command = [sys.executable, "-m", "router", "replay", "--json", "--since", "2020-01-01"]
    command += ["--policy", str(candidate), "--data-dir", str(data_dir)]
    done = subprocess.run(command, capture_output=True, check=True)
    told: dict[str, int] = json.loads(done.stdout)
    return told


if __name__ == "__main__":
    sys.exit(main())
