"""The policy in force: loaded, loaded anew, kept when the new file is wrong, and every change on record."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.errors import RequestError
from router.steering.state import FILE

from .scene import CALLER, CURRENT, Scene, asked, rollout, steer


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_the_start_is_on_record_with_what_the_policy_says(scene: Scene) -> None:
    helm = scene.start()
    assert [("start", "load")] == scene.audits
    row = scene.last_audit
    assert ("", helm.current.hash) == (row.old_hash, row.new_hash)
    assert '+tiers.haiku.model: "claude-haiku-5-5"' in row.diff.splitlines()
    assert [helm.current.hash] == scene.switched


def test_a_restart_with_another_policy_tells_the_difference(scene: Scene) -> None:
    before = scene.start().current.hash
    scene.current = CURRENT + "sticky: {enabled: false}"
    scene.start()
    assert (before, "+sticky.enabled: false") == (scene.last_audit.old_hash, scene.last_audit.diff)


def test_a_restart_with_the_same_policy_has_no_difference(scene: Scene) -> None:
    scene.start()
    scene.start()
    assert "" == scene.last_audit.diff


@pytest.mark.anyio
async def test_a_reload_puts_the_new_policy_in_force_and_on_record(scene: Scene) -> None:
    helm = scene.start()
    before = steer(helm).rules
    scene.current = CURRENT + "sticky: {enabled: false}"
    told = await helm.reload("admin")
    assert ("admin", "reload", "+sticky.enabled: false") == (
        scene.last_audit.who,
        scene.last_audit.action,
        scene.last_audit.diff,
    )
    assert (helm.current.hash, before.hash) == (told["policy"], told["before"])
    assert not steer(helm).rules.policy.sticky.enabled
    assert before.policy.sticky.enabled  # who began with it keeps it


@pytest.mark.anyio
async def test_a_wrong_file_changes_nothing_and_is_told_everywhere(scene: Scene) -> None:
    helm = scene.start()
    before = helm.current
    scene.wrong = ("policy.yaml:3:1: unknown key `tsks`\n    3 | tsks: {}", "another")
    with pytest.raises(RequestError) as caught:
        await helm.reload("file")
    assert ("router_policy", "policy.yaml:3:1: unknown key `tsks`") == (caught.value.code, helm.trouble)
    assert "another" in caught.value.message
    assert helm.current is before
    assert ("file", "reload_failed") == scene.audits[-1]
    assert ("alerts", "policy") in scene.events.counts


@pytest.mark.anyio
async def test_the_next_right_file_ends_the_trouble(scene: Scene) -> None:
    helm = scene.start()
    scene.wrong = ("wrong",)
    with pytest.raises(RequestError):
        await helm.reload("file")
    scene.wrong = ()
    await helm.reload("file")
    assert helm.trouble is None


@pytest.mark.anyio
async def test_a_file_that_was_touched_without_a_change_leaves_no_row(scene: Scene) -> None:
    helm = scene.start()
    await helm.reload("file")
    assert [("start", "load")] == scene.audits


@pytest.mark.anyio
async def test_who_asks_for_a_reload_by_hand_is_on_record_even_when_nothing_changed(scene: Scene) -> None:
    helm = scene.start()
    await helm.reload("signal")
    assert ("signal", "reload") == scene.audits[-1]


def test_a_secret_is_in_no_row_and_in_no_state(scene: Scene) -> None:
    scene.current = CURRENT + "alerts: {webhook: https://hooks.example/abc-secret, secret: s3cr3t}"
    scene.start()
    assert "alerts.secret: (set)" in scene.last_audit.diff
    kept = (scene.folder / FILE).read_text() + str(scene.ledger.notes)
    assert ("s3cr3t" in kept, "abc-secret" in kept) == (False, False)


def test_the_state_is_only_for_its_owner(scene: Scene) -> None:
    scene.start()
    assert 0o600 == (scene.folder / FILE).stat().st_mode & 0o777


def test_a_damaged_state_is_set_aside_and_a_new_one_begun(scene: Scene) -> None:
    (scene.folder / FILE).write_text("{not JSON")
    helm = scene.start()
    assert "{not JSON" == (scene.folder / f"{FILE}.damaged").read_text()
    assert "none" == helm.stage


def test_the_files_of_both_policies_are_watched(scene: Scene) -> None:
    scene.current = rollout(mode="shadow")
    helm = scene.start()
    assert str(scene.folder / "policy.yaml") in helm.files


def test_without_a_rollout_the_current_policy_serves_everybody(scene: Scene) -> None:
    helm = scene.start()
    steered = helm.steer(asked(), CALLER)
    assert (helm.current, False, None) == (steered.rules, steered.candidate, steered.shadow)
