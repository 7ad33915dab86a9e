"""Runs the tests that a policy carries: a request in, what is decided out, held against what must be.

Rule: pure, and through the same functions as a live request: the request is read by wire/, its rule and its
model are found by decide/, and what the classifier would say is written in the test.
"""

from __future__ import annotations

import msgspec

from ..errors import RequestError
from ..vocabulary import Ask, Choice, Difficulty, Verdict
from ..wire.ask import question_text, read_complete
from .choosing import Known, answers_itself, choose, wants_verdict
from .policy import Given, Rule, Rulebook, Trial
from .price import CHARACTERS_PER_TOKEN
from .rules import TEXT_CHARS_MAX, OfText, Sight, first_match
from .tier import task_named

WORDS = ("feature", "user", "session", "task", "workload")
SILENT = Verdict(task=None, difficulty=None, source="unavailable", detail="the test lets it say nothing")


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """How one test came out. `wrong` is empty when all is as expected."""

    name: str
    wrong: tuple[str, ...]
    got: str  # what was decided, in words

    @property
    def passed(self) -> bool:
        return not self.wrong


def try_all(rules: Rulebook) -> tuple[Tried, ...]:
    return tuple(_try(trial, rules) for trial in rules.policy.tests)


def _try(trial: Trial, rules: Rulebook) -> Tried:
    try:
        ask = _ask(trial.given)
        choice, rule = _decide(ask, trial, rules)
    except RequestError as error:
        return Tried(name=trial.name, wrong=(f"the request itself is wrong: {error.message}",), got=error.message)
    return Tried(name=trial.name, wrong=_held_against(trial, choice, rule), got=f"{choice.model}: {choice.reason}")


def _decide(ask: Ask, trial: Trial, rules: Rulebook) -> tuple[Choice, Rule | None]:
    def says(asked: OfText) -> bool:
        return asked.holds(question_text(ask, TEXT_CHARS_MAX))

    sight = Sight(facts=ask.facts, words=ask.words, tenant=trial.given.tenant, headers=ask.sent_headers, says=says)
    rule = first_match(rules.matchers, sight)
    task = task_named(ask.words, rules) or (rule.task if rule is not None else None)
    known = Known(facts=ask.facts, rule=rule, task=task, pinned=trial.pinned)
    return choose(known, _verdict(trial) if wants_verdict(known, rules) else None, rules), rule


def _verdict(trial: Trial) -> Verdict:
    if trial.verdict is None:
        return SILENT
    return Verdict(task=trial.verdict.task, difficulty=Difficulty(trial.verdict.difficulty), source="classifier")


def _ask(given: Given) -> Ask:
    """The request, as a caller would send it. Raises RequestError."""
    body = dict(given.body or {"prompt": given.prompt or ""})
    if given.model is not None:
        body["model"] = given.model
    said = {name: getattr(given, name) for name in WORDS if getattr(given, name) is not None}
    if said:
        body["router"] = said
    ask = read_complete(msgspec.json.encode(body), {name.lower(): value for name, value in given.headers.items()})
    if given.input_tokens is None:
        return ask
    characters, tokens = CHARACTERS_PER_TOKEN
    long = msgspec.structs.replace(ask.facts, messages_bytes=given.input_tokens * characters // tokens)
    return msgspec.structs.replace(ask, facts=long)


def _held_against(trial: Trial, choice: Choice, rule: Rule | None) -> tuple[str, ...]:
    expect, got = trial.expect, {"tier": choice.tier, "model": choice.model, "task": choice.task, "rule": choice.rule}
    wrong = [
        f"{name} is {got[name] or 'none'}, not {getattr(expect, name)}"
        for name in got
        if getattr(expect, name) not in (None, got[name])
    ]
    if expect.reason is not None and expect.reason not in choice.reason:
        wrong.append(f"the reason is {choice.reason!r}, without {expect.reason!r}")
    own = rule if answers_itself(rule) else None
    answers = {
        "refused": own is not None and own.refuse is not None,
        "canned": own is not None and own.canned is not None,
    }
    for name, is_so in answers.items():
        if getattr(expect, name) not in (None, is_so):
            wrong.append(f"it is {'' if is_so else 'not '}{name} by a rule")
    return tuple(wrong)
