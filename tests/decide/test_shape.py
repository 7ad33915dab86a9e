"""One body does not fit all models: what is edited, what is refused, and that the rest is accepted."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.clock import SystemClock
from router.decide.shape import fits, shape
from router.errors import RequestError
from router.ports import Call
from router.standin import running_standin
from router.upstream.claude import ClaudeUpstream
from router.vocabulary import Ask, Choice
from router.wire.ask import read_complete, read_messages
from router.wire.edit import apply

from ..rulebooks import default_rules, rules_from

RULES = default_rules()
TURN = {"role": "user", "content": "hi"}
CURRENT = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-2")
OLD = {"anthropic-version": "2023-06-01"}


def ask(version: str | None = None, **fields: Any) -> Ask:
    body = {"model": "auto", "max_tokens": 2000, "messages": [TURN], **fields}
    headers = {} if version is None else {"anthropic-version": version}
    return read_messages(msgspec.json.encode(body), headers)


def chosen(model: str, *, named: bool = False) -> Choice:
    tier = RULES.tier_of_model.get(model)
    return Choice(tier=tier, model=model, task="general", reason="", named_by_caller=named)


def edited(ask: Ask, model: str, *, named: bool = False) -> dict[str, Any]:
    """What the edits set, and None for what they remove."""
    edits = shape(ask, chosen(model, named=named), RULES)
    return {edit.key: None if edit.value is None else msgspec.json.decode(edit.value) for edit in edits}


def refusal(ask: Ask, model: str, *, named: bool = True) -> RequestError:
    with pytest.raises(RequestError) as caught:
        shape(ask, chosen(model, named=named), RULES)
    assert caught.value.code == "router_unsupported"
    assert model in caught.value.message
    return caught.value


def test_an_ordinary_request_only_gets_its_model() -> None:
    assert edited(ask(), "claude-opus-5-5") == {"model": "claude-opus-5-5"}


def test_a_model_that_was_named_by_its_alias_is_sent_by_its_id() -> None:
    assert edited(ask(model="claude-haiku-4-5-20251001"), "claude-haiku-4-5", named=True) == {
        "model": "claude-haiku-4-5"
    }


def test_the_task_fills_in_what_a_short_request_leaves_out() -> None:
    rules_task = RULES.tasks["general"].max_tokens
    short = read_complete(b'{"prompt": "hi"}', {})
    assert edited(short, "claude-haiku-5-5") == {"model": "claude-haiku-5-5", "max_tokens": rules_task}


def test_a_tasks_stop_sequences_are_for_the_short_form_only(tmp_path: Any) -> None:
    text = "tiers: {a: {model: claude-haiku-5-5}}\ntasks: {t: {description: x, stop_sequences: [END]}}\n"
    rules = rules_from(text, tmp_path)
    choice = Choice(tier="a", model="claude-haiku-5-5", task="t", reason="")
    bodies = (b'{"prompt": "hi"}', b'{"messages": [{"role": "user", "content": "hi"}]}')
    keys = [{edit.key for edit in shape(read_complete(body, {}), choice, rules)} for body in bodies]
    assert ["stop_sequences" in found for found in keys] == [True, False]


@pytest.mark.parametrize(
    ("fields", "model", "expected"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "claude-sonnet-5-5", {"type": "adaptive"}),
        ({"thinking": {"type": "disabled"}}, "claude-sonnet-5-5", {"type": "between_tools"}),
        ({"thinking": {"type": "adaptive"}}, "claude-opus-5-5", "untouched"),
        ({"thinking": {"type": "disabled"}}, "claude-haiku-5-5", "untouched"),
        ({"thinking": {"type": "between_tools"}}, "claude-opus-5-5", None),
    ],
)
def test_thinking_is_asked_for_in_the_chosen_models_own_words(fields: Any, model: str, expected: Any) -> None:
    found = edited(ask(**fields), model)
    assert found.get("thinking", "untouched") == expected


def test_a_named_model_that_cannot_stop_thinking_says_so() -> None:
    told = refusal(ask(thinking={"type": "disabled"}), "claude-opus-5-5")
    assert (told.field, "adaptive" in told.message) == ("thinking.type", True)


def test_thinking_cannot_be_off_at_the_highest_efforts() -> None:
    told = refusal(ask(thinking={"type": "disabled"}, output_config={"effort": "max"}), "claude-haiku-5-5")
    assert "effort" in told.message


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-2"])
def test_an_effort_that_does_not_exist_is_refused_beside_any_thinking(model: str) -> None:
    config = {"effort": "banana"}
    for one in (ask(output_config=config), ask(output_config=config, thinking={"type": "disabled"})):
        assert refusal(one, model).field == "output_config.effort"


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-2"])
def test_a_forced_tool_is_refused_where_the_model_refuses_it(model: str) -> None:
    told = refusal(ask(tool_choice={"type": "any"}), model)
    assert (told.field, "auto" in told.message) == ("tool_choice", True)
    assert fits(ask(tool_choice={"type": "any"}).facts, "claude-haiku-5-5", RULES) is None


@pytest.mark.parametrize("model", CURRENT)
def test_a_sampling_default_is_dropped_and_any_other_value_refused(model: str) -> None:
    assert edited(ask(temperature=1), model)["temperature"] is None
    assert refusal(ask(temperature=0), model).field == "temperature"
    assert refusal(ask(top_k=5), model).field == "top_k"


def test_an_old_model_on_the_old_version_takes_any_temperature() -> None:
    assert "temperature" not in edited(ask("2023-06-01", temperature=0.2), "claude-haiku-4-5", named=True)
    assert refusal(ask(temperature=0.2), "claude-haiku-4-5").field == "temperature"


@pytest.mark.parametrize("model", CURRENT)
def test_a_prefill_is_refused_with_what_to_do_instead(model: str) -> None:
    prefilled = ask(messages=[TURN, {"role": "assistant", "content": "{"}])
    assert "output_config.format" in refusal(prefilled, model).message


def test_an_output_or_a_prompt_beyond_the_models_reach_is_refused_with_both_numbers() -> None:
    told = refusal(ask(max_tokens=200_000), "claude-haiku-5-5")
    assert ("128000" in told.message, "200000" in told.message, told.field) == (True, True, "max_tokens")
    long = refusal(ask(messages=[{"role": "user", "content": "a" * 3_000_000}]), "claude-haiku-5-5")
    assert (long.field, "1000000" in long.message) == ("messages", True)


def test_more_than_four_marks_are_refused() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    blocks = [{"type": "text", "text": str(number), **mark} for number in range(5)]
    assert refusal(ask(messages=[{"role": "user", "content": blocks}]), "claude-haiku-5-5").field == "cache_control"


def test_a_tiers_effort_joins_an_output_config_without_touching_the_rest(tmp_path: Any) -> None:
    rules = rules_from("tiers: {a: {model: claude-haiku-5-5, effort: low, thinking: 'off'}}\n", tmp_path)
    body = (
        b'{"model": "auto", "max_tokens": 9, "messages": [{"role":"user","content":"x"}], '
        b'"output_config": {"format" : {"type":"json_schema",  "schema":{}}}}'
    )
    choice = Choice(tier="a", model="claude-haiku-5-5", task="general", reason="")
    found = {edit.key: bytes(edit.value or b"") for edit in shape(read_messages(body, {}), choice, rules)}
    assert found["output_config"] == b'{"format":{"type":"json_schema",  "schema":{}},"effort":"low"}'
    assert found["thinking"] == b'{"type":"disabled"}'


PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "thinking": [
        {},
        *({"thinking": {"type": kind}} for kind in ("adaptive", "disabled", "between_tools")),
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    ],
    "effort": [{}, *({"output_config": {"effort": level}} for level in ("low", "medium", "high", "xhigh", "max"))],
    "tools": [{}, {"tool_choice": {"type": "any"}}, {"tool_choice": {"type": "auto"}}],
    "sampling": [{}, {"temperature": 1}, {"temperature": 0.5}, {"top_k": 3}],
    "speed": [{}, {"speed": "fast"}, {"inference_geo": "us"}],
}
TOOL = {"name": "t", "input_schema": {"type": "object", "properties": {}}}
MODELS = (*CURRENT, "claude-haiku-4-5", "claude-opus-4-8", "claude-sonnet-4-6")


def combinations() -> list[Ask]:
    asks = []
    for parts in itertools.product(*PARAMETERS.values()):
        fields: dict[str, Any] = {}
        for part in parts:
            fields |= part
        if "tool_choice" in fields:
            fields["tools"] = [TOOL]
        asks += [ask(version, **fields) for version in (None, "2023-06-01")]
    return asks


def test_a_model_fits_exactly_when_shaping_for_it_does_not_refuse() -> None:
    for one in combinations():
        for model in MODELS:
            choice = Choice(tier=None, model=model, task="general", reason="")
            try:
                shape(one, choice, RULES)
                refused = False
            except RequestError:
                refused = True
            assert refused == (fits(one.facts, model, RULES) is not None)


@pytest.mark.anyio
@pytest.mark.timeout(60)
async def test_whatever_is_let_through_is_accepted() -> None:
    """Against the stand-in, which keeps the API's own rules in a table of its own."""
    refusals: list[tuple[str, bytes, bytes]] = []
    sent = 0
    async with running_standin(clock=SystemClock()) as standin:
        upstream = ClaudeUpstream(base_url=standin.url, api_key="k")
        for one, model in itertools.product(combinations()[::3], MODELS):
            try:
                body = apply(one, shape(one, Choice(tier=None, model=model, task="general", reason=""), RULES))
            except RequestError:
                continue
            version = one.facts.api_version or "2026-10-21"
            answer = await upstream.send(Call(body=body, headers=(("anthropic-version", version),)))
            sent += 1
            if answer.status != 200:
                refusals.append((model, body, answer.body))
        await upstream.close()
    assert (refusals, sent > 500) == ([], True)


PROMISING = """
tiers:
  small: {model: claude-haiku-5-5, effort: low}
tasks:
  mail: {output: {type: enum, values: [urgent, later]}}
"""


def promised(tmp_path: Path, **more: object) -> dict[str, Any] | None:
    rules = rules_from(PROMISING, tmp_path)
    asked = read_complete(msgspec.json.encode({"prompt": "x", **more}), {})
    choice = Choice(tier="small", model="claude-haiku-5-5", task="mail", reason="")
    edits = [edit for edit in shape(asked, choice, rules) if edit.key == "output_config"]
    assert len(edits) <= 1
    found: dict[str, Any] | None = msgspec.json.decode(edits[0].value) if edits and edits[0].value else None
    return found


def test_a_task_that_promises_one_of_a_few_values_asks_the_api_to_keep_to_them(tmp_path: Path) -> None:
    config = promised(tmp_path)
    assert config is not None
    assert ("low", ["urgent", "later"]) == (
        config["effort"],
        config["format"]["schema"]["properties"]["answer"]["enum"],
    )


def test_a_request_with_a_format_of_its_own_keeps_it(tmp_path: Path) -> None:
    own = {"type": "json_schema", "schema": {"type": "object"}}
    assert {"effort": "low", "format": own} == promised(tmp_path, output_config={"format": own})
