"""The candidate: who it serves, when it is rolled back or promoted, and what survives a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.errors import RequestError
from router.ports import Watched

from .scene import CURRENT, Scene, rollout, serve, steer

MANY = 400


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.current = rollout(share=0.3)
    return scene


def served_by_candidate(scene: Scene) -> set[int]:
    helm = scene.start()
    return {number for number in range(MANY) if steer(helm, f"s{number}").candidate}


def test_a_canary_serves_about_its_share_of_the_sessions_and_each_always_the_same(scene: Scene) -> None:
    first = served_by_candidate(scene)
    assert 0.2 * MANY < len(first) < 0.4 * MANY
    assert first == served_by_candidate(scene)


def test_a_larger_share_only_adds_sessions(scene: Scene) -> None:
    few = served_by_candidate(scene)
    scene.current = rollout(share=0.6)
    assert few < served_by_candidate(scene)


def test_the_candidate_brings_its_own_rules(scene: Scene) -> None:
    helm = scene.start()
    hashes = {steer(helm, f"s{number}").rules.hash for number in range(MANY)}
    assert {helm.current.hash, scene.next().hash} == hashes


def test_a_shadow_serves_nobody(scene: Scene) -> None:
    scene.current = rollout(mode="shadow")
    helm = scene.start()
    steered = [steer(helm, f"s{number}") for number in range(MANY)]
    assert {(helm.current.hash, scene.next().hash)} == {
        (one.rules.hash, one.shadow.hash if one.shadow else None) for one in steered
    }


def test_a_candidate_that_fails_is_rolled_back_by_itself_and_stays_so_after_a_restart(scene: Scene) -> None:
    helm = scene.start()
    for number in range(MANY):
        serve(helm, number, failed=True)
    assert ("rolled_back", ("guardrail", "rollback")) == (helm.stage, scene.audits[-1])
    assert "failed:" in scene.last_audit.detail
    assert ("alerts", "rollback") in scene.events.counts
    assert not any(steer(helm, f"s{number}").candidate for number in range(MANY))
    assert "rolled_back" == scene.start().stage


def test_it_is_rolled_back_long_before_everybody_suffered(scene: Scene) -> None:
    helm = scene.start()
    number = 0
    while helm.stage == "canary":
        serve(helm, number, failed=True)
        number += 1
    assert number < 100


def test_one_failure_is_no_evidence(scene: Scene) -> None:
    helm = scene.start()
    for number in range(MANY):
        serve(helm, number, failed=number == 0)
    assert "canary" == helm.stage


def test_a_session_that_breaks_again_and_again_is_counted_once(scene: Scene) -> None:
    helm = scene.start()
    for number in range(MANY):
        serve(helm, number)
    for _ in range(MANY):
        helm.watch(Watched(candidate=True, session="one", failed=True))
    assert "canary" == helm.stage


def test_a_candidate_that_was_rolled_back_is_tried_again_only_when_it_has_changed(scene: Scene) -> None:
    helm = scene.start()
    for number in range(MANY):
        serve(helm, number, failed=True)
    scene.current = rollout(share=0.3) + "sticky: {enabled: false}"
    assert "rolled_back" == scene.start().stage
    scene.candidate += "sticky: {enabled: false}"
    assert "canary" == scene.start().stage


def test_what_a_canary_has_seen_survives_a_restart(scene: Scene) -> None:
    helm = scene.start()
    for number in range(MANY):
        serve(helm, number)
    before = helm.status()["rollout"]
    helm.close()
    assert before == scene.start().status()["rollout"]


def test_an_old_failure_is_forgotten_after_two_windows(scene: Scene) -> None:
    helm = scene.start()
    for number in range(MANY):
        serve(helm, number, failed=number < 8)
    for _ in range(2):
        scene.clock.now_s += 3600
        serve(helm, 1)
    told = helm.status()["rollout"]
    assert isinstance(told, dict)
    assert told["in_window"]["candidate"] + told["in_window"]["current"] <= 2


def test_auto_promotes_after_the_time_and_the_requests_that_the_policy_names(scene: Scene) -> None:
    scene.current = rollout(share=0.5, promote="auto", promote_after_s=60, promote_after_requests=20)
    helm = scene.start()
    for number in range(MANY):
        serve(helm, number)
    assert "canary" == helm.stage  # enough requests, too early
    scene.clock.now_s += 61
    for number in range(10):
        serve(helm, number)
    assert ("promoted", ("guardrail", "promote")) == (helm.stage, scene.audits[-1])
    assert all(steer(helm, f"s{number}").candidate for number in range(20))
    assert "promoted" == scene.start().stage


def test_by_hand_is_never_promoted_by_itself(scene: Scene) -> None:
    scene.current = rollout(share=0.5, promote_after_s=1, promote_after_requests=1)
    helm = scene.start()
    scene.clock.now_s += 100
    for number in range(MANY):
        serve(helm, number)
    assert "canary" == helm.stage


def test_promote_and_abort_by_hand_are_on_record_with_the_difference(scene: Scene) -> None:
    helm = scene.start()
    helm.promote("admin")
    assert ("admin", "promote", helm.current.hash) == (
        scene.last_audit.who,
        scene.last_audit.action,
        scene.last_audit.old_hash,
    )
    assert '+difficulty.simple: "sonnet"' in scene.last_audit.diff
    helm.abort("admin")
    assert ("abort", scene.next().hash) == (scene.last_audit.action, scene.last_audit.old_hash)
    assert not any(steer(helm, f"s{number}").candidate for number in range(20))


def test_an_aborted_candidate_can_be_promoted_by_hand(scene: Scene) -> None:
    helm = scene.start()
    helm.abort("admin")
    helm.promote("admin")
    assert "promoted" == helm.stage


@pytest.mark.parametrize("verb", ["promote", "abort"])
def test_without_a_candidate_there_is_nothing_to_promote_or_abort(verb: str, scene: Scene) -> None:
    scene.current = CURRENT
    helm = scene.start()
    with pytest.raises(RequestError) as caught:
        getattr(helm, verb)("admin")
    assert ("router_conflict", f"there is nothing to {verb}: the policy names no candidate") == (
        caught.value.code,
        caught.value.message,
    )


def test_what_was_aborted_cannot_be_aborted_again(scene: Scene) -> None:
    helm = scene.start()
    helm.abort("admin")
    with pytest.raises(RequestError, match="there is nothing to abort: the rollout is aborted"):
        helm.abort("admin")


def test_a_policy_without_its_rollout_ends_it(scene: Scene) -> None:
    scene.start()
    scene.current = CURRENT
    assert "none" == scene.start().stage
    assert ("file", "rollout_end") == scene.audits[-1]


def test_the_shadows_differences_are_counted_by_where_requests_would_go(scene: Scene) -> None:
    scene.current = rollout(mode="shadow")
    helm = scene.start()
    shadow = scene.next().hash
    for differs in (False, True, True, None):
        helm.differed(shadow, differs, "haiku (chat) -> sonnet (chat): chat, simple")
    told = helm.status()["rollout"]
    assert isinstance(told, dict)
    assert ({"same": 1, "differs": 2, "unknown": 1}, {"haiku (chat) -> sonnet (chat)": 2}) == (
        told["shadow"],
        told["moves"],
    )
    assert ("shadow", "unknown") in scene.events.counts


def test_a_promoted_candidate_holds_until_a_file_changes(scene: Scene) -> None:
    scene.start().promote("admin")
    scene.current = rollout(share=0.3) + "sticky: {enabled: false}"
    assert "canary" == scene.start().stage
