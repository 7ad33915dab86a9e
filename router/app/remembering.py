"""What is remembered between requests: in this process, or shared with others over Redis.

Rule: builds the edges of memory/, nothing else.
"""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import AsyncExitStack

import msgspec

from ..decide.policy import Rulebook
from ..ledger.prompts import PromptStore
from ..memory.gossip import Gossip
from ..memory.health import Health
from ..memory.prefixes import MemoryPrefixes
from ..memory.redis_replies import RedisReplies
from ..memory.replies import MemoryReplies
from ..memory.spend import MemorySpend
from ..memory.verdicts import MemoryVerdicts
from ..ports import Clock, Replies
from ..settings import Settings
from ..steering.alarms import Alarms
from ..telemetry import JsonEvents


class Memory(msgspec.Struct, kw_only=True):
    """What is remembered between requests."""

    verdicts: MemoryVerdicts
    prefixes: MemoryPrefixes
    local: MemoryReplies
    replies: Replies
    health: Health
    alarms: Alarms
    purse: MemorySpend
    samples: PromptStore
    beside: tuple[Coroutine[None, None, None], ...] = ()


async def open_memory(
    settings: Settings, rules: Rulebook, told: tuple[Clock, JsonEvents], stack: AsyncExitStack
) -> Memory:
    clock, events = told
    local = MemoryReplies(clock, rules.policy.replies.max_mb * 1024 * 1024, events)
    memory = Memory(
        verdicts=MemoryVerdicts(clock, entries=rules.policy.classifier.cache_entries),
        prefixes=MemoryPrefixes(clock),
        local=local,
        replies=local,
        health=Health(clock, events),
        alarms=Alarms(events=events, clock=clock),
        purse=MemorySpend(),
        samples=PromptStore(settings.data_dir, clock, events),
    )
    stack.push_async_callback(memory.alarms.close)
    stack.callback(memory.samples.close)
    if settings.redis is not None:
        shared = RedisReplies(settings.redis, local, clock, events)
        gossip = Gossip(settings.redis, clock, events, memory.health.heard)
        memory.health.on_change = gossip.tell
        stack.push_async_callback(shared.close)
        memory.replies = shared
        memory.beside = (shared.keep(), gossip.keep())
    return memory
