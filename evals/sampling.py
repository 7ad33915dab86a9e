"""Which of the kept requests are graded, and how: by what their task promises, and by whether two tiers agree.

Rule: pure. A check that cannot tell gives no label: what nobody can judge teaches nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

import msgspec

from router.decide.agreement import agree
from router.decide.contract import broken
from router.decide.policy import Rulebook
from router.decide.sameness import may_act
from router.errors import RequestError
from router.vocabulary import Sampled
from router.vocabulary.noun import Noun
from router.wire.ask import read_complete

from .labels import AGREES, CONTRACT, FAILED, Label
from .vocabulary import Answered

RUN_AGAIN = (AGREES, FAILED)  # of these something was sent


class Shadow(Noun, frozen=True, kw_only=True):
    """A request that is run once more, on another tier than the one that answered it."""

    sampled: Sampled
    tier: str
    compare: str


def by_contract(sampled: Sampled, rules: Rulebook) -> Label | None:
    """Is the answer what its task promises? A kept promise is no proof of a right answer, so such labels are counted
    apart: they can only show that a tier does not do."""
    task = rules.tasks.get(sampled.task)
    if task is None or sampled.tier is None or task.output.type == "text":
        return None
    flaw = broken(task.output, sampled.answer, rules.contracts.get(sampled.task))
    return _label(sampled, sampled.tier, sampled.model, passed=flaw is None, how=CONTRACT)


def comparison(sampled: Sampled, rules: Rulebook) -> str | None:
    """How two answers of its task are held side by side; None where they cannot be."""
    task = rules.tasks.get(sampled.task)
    if task is None:
        return None
    if task.agree is not None:
        return task.agree.compare
    return None if task.output.type == "text" else "json"


def shadows(kept: Iterable[Sampled], requests: int, labels: Collection[Label], rules: Rulebook) -> tuple[Shadow, ...]:
    """Those that are run again: as many as the policy's share of all `requests` still allows, drawn by their ids.
    `labels` are those of the same time and tasks as `requests`: what was run again before has used up its part.

    A request of a lower tier goes to the top one, whose answer is the mark; one of the top tier goes to the cheapest.
    """
    known = {(one.request_id, one.tier) for one in labels if one.how != CONTRACT}
    left = round(rules.policy.sampling.shadow * requests) - sum(one.how in RUN_AGAIN for one in labels)
    wanted = []
    for sampled in kept if left > 0 else ():
        shadow = _shadow(sampled, rules)
        if shadow is not None and (sampled.request_id, labelled(shadow, rules)) not in known:
            wanted.append(shadow)
    wanted.sort(key=lambda one: _lot(one.sampled.request_id))
    return tuple(one for one in wanted if not acts(one.sampled.body))[: max(left, 0)]


def _shadow(sampled: Sampled, rules: Rulebook) -> Shadow | None:
    tiers, compare = reachable(rules), comparison(sampled, rules)
    if compare is None or sampled.tier not in tiers or len(tiers) < 2:
        return None
    return Shadow(sampled=sampled, tier=tiers[0] if sampled.tier == tiers[-1] else tiers[-1], compare=compare)


def labelled(shadow: Shadow, rules: Rulebook) -> str:
    """The tier that is graded: the lower one of the two."""
    if shadow.tier == reachable(rules)[-1]:
        assert shadow.sampled.tier is not None, "only requests of a tier are run again"
        return shadow.sampled.tier
    return shadow.tier


def acts(body: bytes) -> bool:
    """Could asking it again do something in the world? A tool that the caller runs is only named in the answer, and
    nobody here runs it. What cannot be read might."""
    try:
        return may_act(read_complete(body, {}))
    except RequestError:
        return True


def by_agreement(shadow: Shadow, answer: bytes, model: str, rules: Rulebook) -> Label:
    """The lower tier of the two did it if its answer is the top tier's."""
    tier = labelled(shadow, rules)
    same = agree(shadow.compare, shadow.sampled.answer, answer)
    graded_model = model if tier == shadow.tier else shadow.sampled.model
    return _label(shadow.sampled, tier, graded_model, passed=same, how=AGREES)


def not_answered(shadow: Shadow, how: str, rules: Rulebook) -> Label:
    """No verdict: that it was tried, and came to nothing."""
    tier = labelled(shadow, rules)
    model = rules.ids[rules.policy.tiers[tier].model]
    return _label(shadow.sampled, tier, model, passed=False, how=how)


def reachable(rules: Rulebook) -> Sequence[str]:
    """The tiers that a verdict can lead to, cheapest first."""
    cap = rules.policy.classifier.cap_tier
    order = rules.tier_order if cap is None else rules.tier_order[: rules.tier_order.index(cap) + 1]
    return [tier for tier in order if not rules.policy.tiers[tier].only_by_name]


def body_for(sampled: Sampled) -> dict[str, msgspec.Raw]:
    """What is asked again, never as a stream. Requests that act in the world are not drawn: see `acts`."""
    fields = msgspec.json.decode(sampled.body, type=dict[str, msgspec.Raw])
    fields.pop("stream", None)
    return fields


def as_message(answered: Answered) -> bytes:
    """An answer that was paid for, as the message that it was."""
    calls = [{"type": "tool_use", "id": "", **call} for call in answered.tool_calls]
    return msgspec.json.encode({"content": [{"type": "text", "text": answered.text}, *calls]})


def _lot(request_id: str) -> int:
    """Drawn by the id alone: the same requests every time, whatever is asked in between."""
    return int.from_bytes(blake2b(request_id.encode(), digest_size=4).digest(), "little")


def _label(sampled: Sampled, tier: str, model: str, *, passed: bool, how: str) -> Label:
    return Label(
        request_id=sampled.request_id,
        task=sampled.task,
        tier=tier,
        model=model,
        passed=passed,
        how=how,
        at_ms=sampled.at_ms,
    )
