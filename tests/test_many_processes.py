"""Two services over one Redis and one PostgreSQL: what one knows the other knows, and what one kept the other gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from .processes import Process, service, standin
from .servers import running_postgres, running_redis

POLICY = """
tiers: {haiku: {model: claude-haiku-5-5}, sonnet: {model: claude-sonnet-5-5}}
default: {tier: haiku, task: chat}
tasks: {chat: {description: Anything., max_tokens: 500}}
classifier: {enabled: false}
replies: {ttl_s: 600}
"""
WITHIN_S = 20.0


class Pair(msgspec.Struct):
    one: Process
    other: Process
    back: Process


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    (folder / "policy.yaml").write_text(POLICY)
    for name in ("one", "other"):
        (folder / name).mkdir()
    with running_redis() as redis, running_postgres() as postgres, standin(folder, "--keep-requests") as back:
        shared = {
            "TIERWISE_REDIS_URL": redis,
            "TIERWISE_JOBS_URL": postgres,
            "TIERWISE_POLICY": str(folder / "policy.yaml"),
        }
        with (
            service(folder / "one", back.url, **shared) as one,
            service(folder / "other", back.url, **shared) as other,
        ):
            yield Pair(one, other, back)


def ask(process: Process, prompt: str, headers: dict[str, str] | None = None, **router: object) -> tuple[int, Any]:
    body = msgspec.json.encode({"prompt": prompt, "router": router})
    status, answer = process.request("POST", "/complete", body, headers)
    return status, msgspec.json.decode(answer)


def calls(pair: Pair) -> int:
    counts = msgspec.json.decode(pair.back.get("/_standin/seen")[1])["counts"]
    return int(counts.get("/v1/messages", 0))


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.02)


def told_to_wait(process: Process, model: str) -> float:
    models = msgspec.json.decode(process.get("/health/ready")[1])["models"]
    return float(models.get(model, {}).get("told_to_wait_s", 0.0))


def test_what_one_kept_the_other_gives(pair: Pair) -> None:
    _, first = ask(pair.one, "Who was Ada Lovelace?")
    eventually(lambda: ask(pair.other, "Who was Ada Lovelace?")[1]["router"]["served_by"] == "cache")
    _, second = ask(pair.other, "Who was Ada Lovelace?")
    assert first["content"] == second["content"]


def test_a_key_that_one_has_answered_the_other_answers_without_a_call(pair: Pair) -> None:
    key = {"idempotency-key": '"order-17"'}
    status, first = ask(pair.one, "Write to the customer.", key, cache="off")
    before = calls(pair)
    assert (status, first) == ask(pair.other, "Write to the customer.", key, cache="off")
    assert before == calls(pair)
    assert 409 == ask(pair.other, "Write to somebody else.", key, cache="off")[0]


def test_a_job_that_one_took_down_the_other_knows_and_may_run(pair: Pair) -> None:
    fault = [{"kind": "status", "status": 500, "match": "Sum up", "count": 3}]
    pair.back.request("POST", "/_standin/faults", msgspec.json.encode(fault))
    status, job = ask(pair.one, "Sum up the week.", None, fallback="defer", cache="off")
    assert (202, "queued") == (status, job["status"])

    def done() -> bool:
        told = msgspec.json.decode(pair.other.get(job["url"])[1])
        return bool(told["status"] == "done" and told["answer"]["type"] == "message")

    eventually(done)
    assert pair.one.get(job["url"])[1] == pair.other.get(job["url"])[1]


def test_what_one_was_told_to_wait_the_other_waits(pair: Pair) -> None:
    ask(pair.other, "Does the other one know the model?", cache="off")
    fault = [{"kind": "status", "status": 429, "retry_after": 30, "model": "claude-haiku-5-5", "count": 1}]
    pair.back.request("POST", "/_standin/faults", msgspec.json.encode(fault))
    _, answer = ask(pair.one, "Too many of us.", cache="off")
    assert "claude-sonnet-5-5" == answer["router"]["model"]
    eventually(lambda: told_to_wait(pair.other, "claude-haiku-5-5") > 0)
    _, answer = ask(pair.other, "And of us.", cache="off")
    assert "claude-sonnet-5-5" == answer["router"]["model"]
    assert ["claude-sonnet-5-5"] == [attempt["model"] for attempt in answer["router"]["attempts"]]
