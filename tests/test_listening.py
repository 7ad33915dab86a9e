"""The classifier's question as a metered attempt: its own row, told to the request that asked."""

from __future__ import annotations

import msgspec
import pytest

from router.attempt import Attempts
from router.listening import Listening
from router.ports import Question
from router.vocabulary import Difficulty, OutcomeKind, Words

from .rulebooks import default_rules
from .worlds import ListLedger, OpenGates, ScriptedAnswer, ScriptedClock, ScriptedUpstream, answered, failed

RULES = default_rules()
QUESTION = Question(text="What?", key=b"k", tenant="acme", request_id="req_1", words=Words(feature="chat", user="u"))
SAID = '{"task": "question", "difficulty": "simple"}'


class Scene:
    def __init__(self, *script: ScriptedAnswer) -> None:
        clock = ScriptedClock()
        self.ledger = ListLedger()
        self.upstream = ScriptedUpstream(*script)
        attempts = Attempts(upstream=self.upstream, ledger=self.ledger, clock=clock)
        self.listening = Listening(attempts=attempts, gates=OpenGates(), clock=clock)


@pytest.mark.anyio
async def test_a_question_is_a_row_of_its_own_booked_to_who_asked() -> None:
    scene = Scene(answered(SAID, model="claude-haiku-5-5"))
    verdict = await scene.listening.ask_model(QUESTION, RULES)
    row = scene.ledger.rows[0]
    assert (verdict.task, verdict.difficulty) == ("question", Difficulty.SIMPLE)
    assert (row.role, row.request_id, row.tenant, row.feature, row.user) == ("classifier", "req_1", "acme", "chat", "u")
    assert 0 < row.cost_pico < scene.ledger.intents[0].worst_pico


@pytest.mark.anyio
async def test_what_it_cost_is_told_to_the_request_and_forgotten() -> None:
    scene = Scene(answered(SAID, model="claude-haiku-5-5"))
    scene.listening.begin("req_1")
    await scene.listening.ask_model(QUESTION, RULES)
    told = [scene.listening.end("req_1"), scene.listening.end("req_1")]
    assert told == [scene.ledger.rows[0].cost_pico, 0]


@pytest.mark.anyio
async def test_an_answer_after_its_request_has_gone_on_leaves_nothing_behind() -> None:
    scene = Scene(answered(SAID, model="claude-haiku-5-5"))
    scene.listening.begin("req_1")
    scene.listening.end("req_1")
    await scene.listening.ask_model(QUESTION, RULES)
    assert scene.listening.end("req_1") == 0
    assert len(scene.ledger.rows) == 1


@pytest.mark.parametrize("kind", [OutcomeKind.OVERLOADED, OutcomeKind.TIMED_OUT, OutcomeKind.BAD_ANSWER])
@pytest.mark.anyio
async def test_a_call_that_fails_is_an_unavailable_verdict_that_names_the_failure(kind: OutcomeKind) -> None:
    scene = Scene(failed(kind))
    verdict = await scene.listening.ask_model(QUESTION, RULES)
    assert (verdict.source, verdict.detail) == ("unavailable", f"the classifier: {kind.value}")


@pytest.mark.anyio
async def test_the_instructions_are_the_same_bytes_for_every_question() -> None:
    scene = Scene(*[answered(SAID, model="claude-haiku-5-5")] * 2)
    for text in ("one", "two"):
        await scene.listening.ask_model(msgspec.structs.replace(QUESTION, text=text), RULES)
    systems = {msgspec.json.decode(call.body)["system"] for call in scene.upstream.calls}
    assert len(systems) == 1
