"""Which requests are kept with their text: those that the policy wants, and never what is personal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from router.app import running_service
from router.clock import SystemClock
from router.errors import RequestError
from router.ledger.prompts import DAY_MS, PromptStore, kept_prompts
from router.settings import Settings, load_settings
from router.vocabulary import OutcomeKind, Sampled
from router.wire.ask import read_complete

from .rulebooks import rules_from
from .test_pipeline import CALLER, complete, drained
from .worlds import ListEvents, ScriptedAnswer, World, answered, events, failed, streamed

POLICY = """
tiers: {haiku: {model: claude-haiku-5-5}}
default: {tier: haiku, task: chat}
tasks: {chat: {}, health: {personal: true}}
"""


def world_of(folder: Path, *script: ScriptedAnswer, sampling: str = "{keep: 1}") -> World:
    rules = rules_from(f"{POLICY}sampling: {sampling}\n", folder)
    return World(*script, rules=lambda: rules)


async def ask(world: World, router: dict[str, object] | None = None, **fields: object) -> None:
    served = await world.pipeline.handle(read_complete(complete(router=router or {}, **fields), {}), CALLER)
    if served.chunks is not None:
        await drained(served)


@pytest.mark.anyio
async def test_a_request_and_its_answer_are_kept_as_they_were(tmp_path: Path) -> None:
    world = world_of(tmp_path, answered("a cat"))
    await ask(world, {"feature": "f"}, prompt="What purrs?")
    (kept,) = world.samples.kept
    assert ("chat", "haiku", "claude-haiku-5-5", "f") == (kept.task, kept.tier, kept.model, kept.feature)
    assert "What purrs?" == msgspec.json.decode(kept.body)["messages"][0]["content"]
    assert "a cat" == msgspec.json.decode(kept.answer)["content"][0]["text"]
    (settled,) = (row for row in world.ledger.rows if row.billed == "settled")
    assert settled.cost_pico == kept.cost_pico


@pytest.mark.anyio
async def test_a_stream_is_kept_when_it_has_ended(tmp_path: Path) -> None:
    world = world_of(tmp_path, streamed(*events("a", " cat")))
    await ask(world, stream=True)
    (kept,) = world.samples.kept
    assert "a cat" == msgspec.json.decode(kept.answer)["content"][0]["text"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("sampling", "router"),
    [("{}", {}), ("{keep: 1}", {"task": "health"}), ("{keep: 1}", {"cache": "off"})],
)
async def test_nothing_is_kept_unasked(tmp_path: Path, sampling: str, router: dict[str, object]) -> None:
    world = world_of(tmp_path, answered("a cat"), sampling=sampling)
    await ask(world, router)
    assert [] == world.samples.kept


@pytest.mark.anyio
async def test_only_an_answer_is_kept(tmp_path: Path) -> None:
    world = world_of(tmp_path, failed(OutcomeKind.BAD_REQUEST, 400), answered("cut", stop="max_tokens"))
    with pytest.raises(RequestError):
        await ask(world)
    await ask(world)
    assert [] == world.samples.kept


@pytest.mark.anyio
@pytest.mark.parametrize(("keep", "kept"), [(0.6, 1), (0.4, 0)])
async def test_the_dice_say_which_share_is_kept(tmp_path: Path, keep: float, kept: int) -> None:
    world = world_of(tmp_path, answered("a cat"), sampling=f"{{keep: {keep}}}")
    assert 0.5 == world.clock.dice()
    await ask(world)
    assert kept == len(world.samples.kept)


@pytest.mark.anyio
@pytest.mark.parametrize("more", ["", "replies: {single_flight: false}\n"])
@pytest.mark.parametrize("router", [{}, {"buffered": True}])
async def test_a_stream_is_kept_once_whether_others_may_share_it_or_not(
    tmp_path: Path, more: str, router: dict[str, object]
) -> None:
    world = world_of(tmp_path, streamed(*events("a", " cat")), sampling="{keep: 1}\n" + more)
    await ask(world, router, stream=True)
    (kept,) = world.samples.kept
    assert "a cat" == msgspec.json.decode(kept.answer)["content"][0]["text"]


def nobody(folder: Path) -> Settings:
    """As if nobody said whom to ask: the stand-in answers."""
    own = load_settings(env_file=None, data_dir=folder, policy=folder / "policy.yaml")
    asks = {"base_url": None, "api_key": None, "auth_token": None}
    return own.model_copy(update={"anthropic": own.anthropic.model_copy(update=asks)})


@pytest.mark.anyio
async def test_a_service_deletes_what_is_too_old_though_its_policy_keeps_nothing(tmp_path: Path) -> None:
    rules_from(f"{POLICY}sampling: {{keep: 0, keep_days: 2}}\n", tmp_path)
    clock = SystemClock()
    before, now = PromptStore(tmp_path, clock, ListEvents()), clock.now_ms()
    for name, at_ms in (("old", now - 3 * DAY_MS), ("new", now)):
        before.keep(Sampled(request_id=name, at_ms=at_ms, task="chat", model="m", body=b"{}", answer=b"{}"), 30, 10)
    before.close()
    async with running_service(nobody(tmp_path), None) as service:
        beside = [asyncio.ensure_future(work) for work in service.beside]
        await asyncio.sleep(0)
        for work in beside:
            work.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    assert ["new"] == [one.request_id for one in kept_prompts(tmp_path)]
