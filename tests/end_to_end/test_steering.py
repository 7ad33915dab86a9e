"""The real command, steered while it serves: files that change, signals, admin paths, and a canary that rolls back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from router.cli.audit import audit
from router.cli.explain import explain
from router.cli.rollout import rollout
from tests.processes import Process, service, standin

POLICY = """
tiers:
  haiku: {model: claude-haiku-5-5}
  sonnet: {model: claude-sonnet-5-5}
classifier: {enabled: false}
fallbacks: {canned: Sorry.}
"""
CANARY = POLICY + "rollout: {candidate: next.yaml, share: 0.5}\n"
NEXT = POLICY.replace("claude-sonnet-5-5", "claude-sonnet-5")
PATIENCE_S = 20.0


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Process]:
    with standin(tmp_path) as process:
        yield process


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    (tmp_path / "next.yaml").write_text(NEXT)
    return path


@pytest.fixture
def serving(tmp_path: Path, upstream: Process, policy: Path) -> Iterator[Process]:
    with service(tmp_path, upstream.url, TIERWISE_POLICY=str(policy)) as process:
        yield process


def ready(process: Process) -> dict[str, str]:
    status, body = process.get("/health/ready")
    assert 200 == status
    return {name: str(value) for name, value in msgspec.json.decode(body).items()}


def until(holds: Callable[[], bool]) -> None:
    """Waits for what another process is about to do."""
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.02)


def key(folder: Path) -> dict[str, str]:
    return {"x-api-key": (folder / "data" / "admin.key").read_text()}


def ask(process: Process, session: str) -> dict[str, object]:
    words = {"session": session, "fallback": "same"}
    status, told = process.post("/complete", {"prompt": "x", "model": "sonnet", "router": words})
    assert 200 == status
    found = told["router"]
    assert isinstance(found, dict)
    return found


def run(verb: object, *arguments: str) -> str:
    result = CliRunner().invoke(verb, arguments)  # type: ignore[arg-type]
    assert 0 == result.exit_code, result.output
    return " ".join(result.output.split())


def test_a_saved_policy_serves_the_next_request_and_a_wrong_one_changes_nothing(
    serving: Process, policy: Path, tmp_path: Path
) -> None:
    first = ready(serving)["policy"]
    policy.write_text(POLICY.replace("claude-sonnet-5-5", "claude-opus-5-5"))
    until(lambda: ready(serving)["policy"] != first)
    assert "claude-opus-5-5" == ask(serving, "s")["model"]
    second = ready(serving)["policy"]
    policy.write_text(POLICY + "tsks: {}\n")
    until(lambda: ready(serving)["status"] == "degraded")
    told = ready(serving)
    assert second == told["policy"]
    assert f"{policy}:7:1: unknown key `tsks` in the file (did you mean `tasks`?)" in told["policy_files"]
    assert second == ask(serving, "s")["policy"]
    policy.write_text(POLICY)
    until(lambda: ready(serving)["status"] == "ready")
    assert first == ready(serving)["policy"]
    rows = run(audit, "--data-dir", str(tmp_path / "data"))
    assert "reload_failed" in rows
    assert "tiers.sonnet.model" in rows


def test_a_signal_and_the_admin_path_load_anew_and_only_the_admin_key_opens_it(
    serving: Process, policy: Path, tmp_path: Path
) -> None:
    status, _ = serving.request("POST", "/admin/reload", headers={"x-api-key": "no-such-key-at-all"})
    assert 403 == status
    status, body = serving.request("POST", "/admin/reload", headers=key(tmp_path))
    assert (200, ready(serving)["policy"]) == (status, msgspec.json.decode(body)["policy"])
    serving.child.send_signal(signal.SIGHUP)
    until(lambda: "signal" in run(audit, "--data-dir", str(tmp_path / "data")))
    assert 0o600 == (tmp_path / "data" / "admin.key").stat().st_mode & 0o777


def test_a_canary_rolls_back_by_itself_when_the_candidates_model_fails(
    serving: Process, upstream: Process, policy: Path, tmp_path: Path
) -> None:
    policy.write_text(CANARY)
    until(lambda: ready(serving)["rollout"] == "canary")
    served = [ask(serving, f"s{number}") for number in range(40)]
    assert {"claude-sonnet-5-5", "claude-sonnet-5"} == {one["model"] for one in served}
    assert {one["policy"] for one in served if one["candidate"]} == {
        one["policy"] for one in served if one["model"] == "claude-sonnet-5"
    }
    upstream.post("/_standin/faults", [{"kind": "status", "status": 529, "model": "claude-sonnet-5"}])
    asked = 0
    while ready(serving)["rollout"] == "canary":
        asked += 1
        assert asked < 400, "it never rolled back"
        ask(serving, f"t{asked}")
    assert "rolled_back" == ready(serving)["rollout"]
    assert {"model"} == {ask(serving, f"u{number}")["served_by"] for number in range(20)}
    shown = run(rollout, "status", "--url", serving.url, "--key", key(tmp_path)["x-api-key"])
    assert "rolled back since" in shown
    assert "proven worse" in shown
    assert "rollback" in run(audit, "--data-dir", str(tmp_path / "data"))


def test_a_rollout_goes_on_after_the_process_was_killed(tmp_path: Path, upstream: Process, policy: Path) -> None:
    policy.write_text(CANARY)
    with service(tmp_path, upstream.url, TIERWISE_POLICY=str(policy)) as process:
        before = {f"s{number}": ask(process, f"s{number}")["candidate"] for number in range(20)}
        process.request("POST", "/admin/rollout/promote", headers=key(tmp_path))
        process.stop(signal.SIGKILL)
    with service(tmp_path, upstream.url, TIERWISE_POLICY=str(policy)) as process:
        assert {True, False} == set(before.values())
        assert "promoted" == ready(process)["rollout"]
        assert all(ask(process, session)["candidate"] for session in before)


def test_a_past_request_can_be_explained(serving: Process, tmp_path: Path) -> None:
    told = ask(serving, "s")
    shown = run(explain, "--request-id", str(told["request_id"]), "--data-dir", str(tmp_path / "data"))
    assert "sonnet: the caller asked for tier sonnet" in shown
    assert f"In all {told['cost_usd']} USD." in shown


def test_explain_answers_why_in_one_screen(serving: Process) -> None:
    shown = run(explain, "Where is my parcel?", "--feature", "support", "--url", serving.url)
    for part in ("haiku: no verdict", "verdict", "pin none", "cache cold", "Asked in this order", "model: the model"):
        assert part in shown, shown


def test_explain_of_an_unknown_request_says_so(serving: Process, tmp_path: Path) -> None:
    result = CliRunner().invoke(explain, ["--request-id", "nobody", "--data-dir", str(tmp_path / "data")])
    assert 1 == result.exit_code
    assert "the ledger has no request 'nobody'" in result.output
