"""One body does not fit all models: what each one refuses, as edits that keep the meaning or as a refusal.

Rule: pure. RULES is walked in order; each rule looks at one parameter and answers with an edit, with
a Refusal in words, or with nothing. Nothing is sent that the API would refuse for a reason we know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from ..errors import RequestError
from ..vocabulary import Ask, Choice, Door, Edit, Facts
from .contract import format_of
from .policy import Model, Rulebook, Tier
from .price import input_estimate

CURRENT_VERSION = "2026-10-21"
OLD_VERSION = "2023-06-01"
MARKS_MAX = 4
EFFORTS = ("low", "medium", "high", "xhigh", "max")
# What the API would use anyway: dropping it changes nothing.
SAMPLING_DEFAULTS = {"temperature": (1.0,), "top_p": (0.99, 1.0), "top_k": ()}
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Refusal(NamedTuple):
    field: str
    why: str  # ends the sentence "MODEL ..."
    instead: str


class Fit(NamedTuple):
    """What a rule looks at."""

    facts: Facts
    model: Model
    tier: Tier | None
    routed: bool  # the router chose the model: it may adapt the request to it
    fields: Mapping[str, msgspec.Raw]


Finding = Edit | Refusal | None


def fits(facts: Facts, model: str, rules: Rulebook) -> str | None:
    """None when the model takes the request, else the sentence why not. For choosing a tier."""
    fit = Fit(facts, rules.models[model], None, True, {})
    for rule in SIZES if _asks_for_nothing_special(facts) else RULES:
        finding = rule(fit)
        if isinstance(finding, Refusal):
            return f"{model} {finding.why}"
    return None


def shape(ask: Ask, choice: Choice, rules: Rulebook) -> tuple[Edit, ...]:
    """The edits that make the request one that the model takes. Raises RequestError(router_unsupported)."""
    tier = rules.policy.tiers[choice.tier] if choice.tier is not None and not choice.named_by_caller else None
    fit = Fit(ask.facts, rules.models[choice.model], tier, not choice.named_by_caller, ask.fields)
    edits = [*_model(ask.facts, choice.model), *_of_the_task(ask, choice, rules)]
    for rule in RULES:
        finding = rule(fit)
        if isinstance(finding, Refusal):
            raise RequestError(
                "router_unsupported",
                f"{finding.field}: {choice.model} {finding.why}; {finding.instead}",
                field=finding.field,
            )
        if finding is not None:
            edits.append(finding)
    edits += _of_the_tier(fit, edits)
    return _promised(ask, choice, rules, edits)


def _model(facts: Facts, model: str) -> tuple[Edit, ...]:
    if facts.model == model:
        return ()
    return (Edit(key="model", value=_raw(model), why="the model that was chosen"),)


def _of_the_task(ask: Ask, choice: Choice, rules: Rulebook) -> tuple[Edit, ...]:
    task, edits = rules.tasks[choice.task], []
    if ask.facts.max_tokens is None:
        tokens = min(task.max_tokens, rules.models[choice.model].max_output)
        edits.append(Edit(key="max_tokens", value=_raw(tokens), why=f"what the policy gives the task {choice.task}"))
    if ask.short_form and task.stop_sequences and "stop_sequences" not in ask.fields:
        edits.append(Edit(key="stop_sequences", value=_raw(task.stop_sequences), why=f"the task {choice.task}'s own"))
    return tuple(edits)


def _promised(ask: Ask, choice: Choice, rules: Rulebook, edits: list[Edit]) -> tuple[Edit, ...]:
    """The edits, with the format that the task promises beside whatever else `output_config` holds by now."""
    wanted = (
        format_of(rules.tasks[choice.task].output) if ask.door is Door.COMPLETE and not ask.facts.has_format else None
    )
    if wanted is None or not rules.models[choice.model].structured_outputs:
        return tuple(edits)
    before = [edit for edit in edits if edit.key == "output_config"]
    others = tuple(edit for edit in edits if edit.key != "output_config")
    config = _config(ask.fields, before) | {"format": _raw(wanted)}
    why = "; ".join([*(edit.why for edit in before), f"what the task {choice.task} promises"])
    return (*others, Edit(key="output_config", value=_raw(config), why=why))


def _config(fields: Mapping[str, msgspec.Raw], before: list[Edit]) -> dict[str, msgspec.Raw]:
    """`output_config` as it is after these edits."""
    if before:
        last = before[-1].value
        return {} if last is None else _OBJECT.decode(last)
    return {} if "output_config" not in fields else _OBJECT.decode(fields["output_config"])


def _of_the_tier(fit: Fit, edits: list[Edit]) -> tuple[Edit, ...]:
    """The tier's own effort and thinking, where the request says nothing of its own."""
    if fit.tier is None:
        return ()
    said, wanted = [], fit.tier.effort
    if wanted is not None and fit.facts.effort is None and wanted in fit.model.effort:
        config = _config(fit.fields, []) | {"effort": _raw(wanted)}
        said.append(Edit(key="output_config", value=_raw(config), why="the tier's effort"))
    edited = any(edit.key == "thinking" for edit in edits)
    if fit.tier.thinking == "off" and fit.facts.thinking is None and not edited:
        off = _off(fit, fit.facts.effort or wanted)
        if off is not None:
            said.append(Edit(key="thinking", value=_raw({"type": off}), why="the tier does not think"))
    return tuple(said)


def _off(fit: Fit, effort: str | None) -> str | None:
    """How this model is told not to think; None where it cannot be, or not at this effort."""
    rules = fit.model.thinking
    if rules.off is None or fit.model.thinking.default == "off":
        return None
    if effort is not None and rules.off_up_to is not None and EFFORTS.index(effort) > EFFORTS.index(rules.off_up_to):
        return None
    return rules.off


def _thinking(fit: Fit) -> Finding:
    asked, rules = fit.facts.thinking, fit.model.thinking
    if asked is None:
        return None
    if asked == "disabled" and rules.default == "off":
        return Edit(key="thinking", value=None, why="this model does not think unless asked to")
    if asked in rules.accepts:
        if asked == rules.off and _off(fit, fit.facts.effort) is None and rules.default == "on":
            return Refusal("thinking", f"cannot be without thinking above effort {rules.off_up_to}", "lower the effort")
        return None
    if asked == "enabled" and "adaptive" in rules.accepts:
        why = "this model takes no thinking budget: it thinks as much as the request needs"
        return Edit(key="thinking", value=_raw({"type": "adaptive"}), why=why)
    if asked == "disabled" and fit.routed and rules.off is not None and _off(fit, fit.facts.effort) is not None:
        return Edit(key="thinking", value=_raw({"type": rules.off}), why="the least thinking that this model offers")
    if asked in ("adaptive", "between_tools") and fit.routed and rules.default == "on":
        return Edit(key="thinking", value=None, why="this model's default is the nearest that it offers")
    allowed = ", ".join(rules.accepts)
    return Refusal("thinking.type", f"does not take thinking {asked}", f"it takes {allowed}, or leave thinking out")


def _effort(fit: Fit) -> Finding:
    asked = fit.facts.effort
    if asked is None or asked in fit.model.effort:
        return None
    if not fit.model.effort:
        return Refusal("output_config.effort", "has no effort levels", "leave output_config.effort out")
    levels = ", ".join(fit.model.effort)
    return Refusal("output_config.effort", f"has no effort {asked}", f"use one of {levels}")


def _forced_tools(fit: Fit) -> Finding:
    if fit.facts.tool_choice not in ("any", "tool"):
        return None
    if fit.model.forced_tools:
        return _forced_while_thinking(fit)
    return Refusal(
        "tool_choice",
        "cannot be forced to use a tool",
        'use tool_choice {"type": "auto"} and say in the prompt that the tool must be used, or output_config.format',
    )


def _forced_while_thinking(fit: Fit) -> Finding:
    """A model that thinks only when asked to cannot be asked for both; one that thinks by itself stops."""
    if fit.model.thinking.default == "on" or fit.facts.thinking not in ("adaptive", "enabled"):
        return None
    return Refusal("tool_choice", "does not think while it is forced to use a tool", "leave thinking out")


def _sampling(name: str) -> Callable[[Fit], Finding]:
    def rule(fit: Fit) -> Finding:
        value = dict(fit.facts.sampling).get(name)
        if value is None:
            return None
        old = fit.facts.api_version == OLD_VERSION
        if old and fit.model.sampling == "free":
            return None
        if value in SAMPLING_DEFAULTS[name]:
            return None if old else Edit(key=name, value=None, why="its default, which the API no longer lets be said")
        version = fit.facts.api_version or CURRENT_VERSION
        return Refusal(
            name,
            f"does not take {name} on API version {version}",
            "leave it out, and steer with the instructions or output_config.effort",
        )

    return rule


def _prefill(fit: Fit) -> Finding:
    if not fit.facts.prefill or fit.model.prefill:
        return None
    return Refusal(
        "messages",
        "does not continue a turn of the assistant",
        "end with a user turn, and use output_config.format or an instruction to fix the answer's beginning",
    )


def _format(fit: Fit) -> Finding:
    if not fit.facts.has_format or fit.model.structured_outputs:
        return None
    return Refusal("output_config.format", "has no structured outputs", "use a tool with a schema instead")


def _speed(fit: Fit) -> Finding:
    beta = fit.model.fast_beta
    if fit.facts.speed in (None, "standard") or (fit.model.fast and beta is None):
        return None
    if fit.model.fast and beta is not None:
        missing = Refusal("speed", f"has speed fast with the beta {beta} only", f"send anthropic-beta: {beta}")
        return None if beta in fit.facts.betas else missing
    return Refusal("speed", f"has no speed {fit.facts.speed}", "leave speed out")


def _geo(fit: Fit) -> Finding:
    if fit.facts.inference_geo is None or fit.model.geo:
        return None
    return Refusal("inference_geo", "cannot be bound to a region", "leave inference_geo out")


def _output(fit: Fit) -> Finding:
    tokens = fit.facts.max_tokens
    if tokens is None or tokens <= fit.model.max_output:
        return None
    return Refusal("max_tokens", f"gives at most {fit.model.max_output} tokens, not {tokens}", "lower max_tokens")


def _window(fit: Fit) -> Finding:
    tokens = input_estimate(fit.facts)
    if tokens <= fit.model.context:
        return None
    return Refusal(
        "messages",
        f"reads at most {fit.model.context} tokens, and this prompt has about {tokens}",
        "shorten the prompt",
    )


def _marks(fit: Fit) -> Finding:
    if fit.facts.marks <= MARKS_MAX:
        return None
    return Refusal(
        "cache_control", f"takes at most {MARKS_MAX} cache marks, not {fit.facts.marks}", "remove some of them"
    )


RULES: tuple[Callable[[Fit], Finding], ...] = (
    _effort,  # first: the others may rely on a level that exists
    _thinking,
    _forced_tools,
    _sampling("temperature"),
    _sampling("top_p"),
    _sampling("top_k"),
    _prefill,
    _format,
    _speed,
    _geo,
    _output,
    _window,
    _marks,
)


SIZES: tuple[Callable[[Fit], Finding], ...] = (_output, _window, _marks)


def _asks_for_nothing_special(facts: Facts) -> bool:
    """Most requests: only their sizes can be too much for a model."""
    special = (facts.thinking, facts.effort, facts.tool_choice, facts.speed, facts.inference_geo)
    return not (any(special) or facts.sampling or facts.prefill or facts.has_format)


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
