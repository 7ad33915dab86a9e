"""A policy as a table that a person can read: in which order it decides, and what comes out.

Rule: prints what the Rulebook holds; nothing is decided here.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..decide.evidence import pick
from ..decide.policy import Rule, Rulebook, When
from ..decide.price import price_at
from ..decide.trial import Tried
from ..vocabulary import PICO_PER_USD, Difficulty
from .measured_table import measured_data, measured_table, measured_words
from .wide import console_for


def as_data(rules: Rulebook, tried: tuple[Tried, ...]) -> dict[str, object]:
    return {
        "ok": all(one.passed for one in tried),
        "policy": rules.source,
        "hash": rules.hash,
        "prices_hash": rules.prices.hash,
        "files": rules.files,
        "default": {"tier": rules.default_tier, "task": rules.default_task},
        "tiers": {name: rules.policy.tiers[name] for name in rules.tier_order},
        "rules": [
            {"name": rule.name, "when": conditions(rule.when), "then": action(rule)} for rule in rules.policy.rules
        ],
        "tasks": {name: tiers_of(name, rules) for name in rules.tasks},
        "measured": measured_data(rules),
        "difficulty": rules.difficulty,
        "deadline_s": rules.deadline_s,
        "warnings": rules.warnings,
        "tests": [{"name": one.name, "passed": one.passed, "wrong": one.wrong, "got": one.got} for one in tried],
    }


def show(rules: Rulebook, tried: tuple[Tried, ...], candidate: Rulebook | None, now_ms: int) -> None:
    console = Console(highlight=False)
    console.print(Text(f"{rules.source}: right. Policy {rules.hash}, prices {rules.prices.hash}."), soft_wrap=True)
    console.print(_tier_table(rules, now_ms))
    if rules.policy.rules:
        console.print(_rule_table(rules))
    console.print(_task_table(rules))
    if rules.routes:
        table = measured_table(rules)
        console_for(table).print(table)
        for line in measured_words(rules):
            console.print(Text(line), soft_wrap=True)
    for line in [*_in_words(rules), *_resilience(rules), *_caching(rules), *_guards(rules, candidate)]:
        console.print(Text(line), soft_wrap=True)
    _show_tests(console, tried)
    for warning in rules.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)


def tiers_of(task: str, rules: Rulebook) -> dict[str, str]:
    """Where each difficulty of this task goes, measurements and the cap on verdicts included."""
    cap = rules.policy.classifier.cap_tier or rules.tier_order[-1]
    picked = pick(task, cap, rules)
    wanted = rules.difficulty | dict(rules.tasks[task].difficulty)
    return {
        str(difficulty): picked.tier if picked else _lower(wanted[difficulty], cap, rules.tier_order)
        for difficulty in Difficulty
    }


def conditions(when: When) -> list[str]:
    """A `when` in words, a condition each."""
    said = []
    for name in ("tenant", "feature", "user", "session", "task", "model", "workload", "language", "keywords"):
        wanted = getattr(when, name)
        if wanted:
            said.append(f"{name} {' or '.join(wanted)}")
    said += [f"{header}: {' or '.join(values)}" for header, values in when.header.items()]
    for name in ("tools", "images", "documents"):
        wanted = getattr(when, name)
        if wanted is not None:
            said.append(name if wanted else f"no {name}")
    for name in ("input_tokens", "turns"):
        span = getattr(when, name)
        if span is not None:
            low = f"at least {span.at_least:,}" if span.at_least is not None else ""
            high = f"below {span.below:,}" if span.below is not None else ""
            said.append(" ".join(part for part in (name, low, high) if part))
    if when.matches is not None:
        said.append(f"text matches {when.matches}")
    return said or ["always"]


def action(rule: Rule) -> str:
    if rule.refuse is not None:
        return f"refuse: {rule.refuse}"
    if rule.canned is not None:
        return f"answer: {rule.canned}"
    parts = [f"tier {rule.tier}" if rule.tier else "", f"model {rule.model}" if rule.model else ""]
    parts.append(f"task {rule.task}" if rule.task else "")
    return ", ".join(part for part in parts if part)


def _lower(one: str, other: str, order: tuple[str, ...]) -> str:
    return one if order.index(one) <= order.index(other) else other


def _plain_table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))


def _tier_table(rules: Rulebook, now_ms: int) -> Table:
    table = _plain_table("\nTiers, cheapest first")
    for heading in ("tier", "model", "stands in", "thinking", "effort"):
        table.add_column(heading, no_wrap=True)
    for heading in ("in $/M", "out $/M"):
        table.add_column(heading, justify="right")
    for name in rules.tier_order:
        tier = rules.policy.tiers[name]
        price = price_at(tier.model, rules.prices, now_ms, [])
        assert price is not None, "the loader lets no model in without a price"
        prices = (_usd_a_million(price.rates.input), _usd_a_million(price.rates.output))
        shown = f"{name} (by name)" if tier.only_by_name else name
        table.add_row(shown, tier.model, ", ".join(tier.siblings) or "-", tier.thinking, tier.effort or "-", *prices)
    return table


def _rule_table(rules: Rulebook) -> Table:
    table = _plain_table("\nRules, the first that matches wins")
    for heading in ("", "rule", "when", "then"):
        table.add_column(heading, overflow="fold")
    for number, rule in enumerate(rules.policy.rules, 1):
        table.add_row(str(number), rule.name, Text("\n".join(conditions(rule.when))), Text(action(rule)))
    return table


def _task_table(rules: Rulebook) -> Table:
    table = _plain_table("\nTasks, else: what the classifier names, and where each difficulty goes")
    for heading in ("task", "simple", "complex", "edge case"):
        table.add_column(heading, no_wrap=True)
    table.add_column("max_tokens", justify="right")
    table.add_column("deadline", justify="right")
    for name, task in rules.tasks.items():
        deadline_s = task.timeout_s or rules.deadline_s["interactive"]
        table.add_row(name, *tiers_of(name, rules).values(), str(task.max_tokens), f"{deadline_s:g} s")
    return table


def _in_words(rules: Rulebook) -> list[str]:
    classifier, fallbacks = rules.policy.classifier, rules.policy.fallbacks
    asked = f"asks {classifier.model} for {classifier.deadline_ms} ms" if classifier.enabled else "is off"
    cap = f", never above {classifier.cap_tier}" if classifier.cap_tier and classifier.enabled else ""
    ceiling = fallbacks.ceiling or rules.tier_order[-1]
    last = "a canned reply" if fallbacks.canned or fallbacks.canned_in else "an honest error"
    return [
        f"\nWithout a verdict: tier {rules.default_tier}, task {rules.default_task}. The classifier {asked}{cap}.",
        f"When a call fails: {fallbacks.attempts} attempts, up to {ceiling}, then {last}.",
    ]


def _resilience(rules: Rulebook) -> list[str]:
    """Only what is not the default."""
    policy, said = rules.policy, []
    places = [("fallbacks.on", policy.fallbacks.on)]
    places += [(f"fallbacks.workloads.{name}", reactions) for name, reactions in policy.fallbacks.workloads.items()]
    places += [(f"tasks.{name}.on", task.on) for name, task in policy.tasks.items()]
    for place, reactions in places:
        said += [f"On {outcome}: {', '.join(actions) or 'fail'} ({place})." for outcome, actions in reactions.items()]
    if policy.fallbacks.canned_in:
        said.append(f"Canned replies in {', '.join(policy.fallbacks.canned_in)} too.")
    keeps = [("every task", policy.replies.ttl_s, policy.replies.stale_s)]
    keeps += [(name, task.keep.ttl_s, task.keep.stale_s) for name, task in policy.tasks.items() if task.keep]
    said += [
        f"Answers of {whose} are given again for {ttl_s:g} s, and {stale_s:g} s more when no model answers."
        for whose, ttl_s, stale_s in keeps
        if ttl_s or stale_s
    ]
    if not policy.replies.single_flight:
        said.append("Equal requests at the same time have a call each.")
    return said if policy.jobs.enabled else [*said, "Nothing is put off."]


def _caching(rules: Rulebook) -> list[str]:
    """Only what is not the default."""
    cache, said = rules.policy.cache, []
    if cache.marks == "off":
        said.append("Cache: the router sets no marks.")
    elif cache.longest == "5m":
        said.append("Cache: marks for five minutes only.")
    if cache.hold_ms:
        size = f"{cache.hold_tokens:,} tokens or more"
        said.append(f"Cache: others wait up to {cache.hold_ms} ms for a prefix of {size}.")
    if cache.varying:
        said.append(f"Cache: lines that meet {' or '.join(cache.varying)} go behind the rest of a system text.")
    said += [f"Kept warm: {name} on {one.tier} for {one.ttl}." for name, one in cache.prewarm.items()]
    return said


def _guards(rules: Rulebook, candidate: Rulebook | None) -> list[str]:
    policy, said = rules.policy, []
    for name, budget in policy.budgets.items():
        of = " and ".join([*budget.feature, *budget.tenant]) or "everybody"
        each = f" for each {budget.each}" if budget.each else " together"
        saving = (
            f", from {budget.save_at:.0%} on up to {budget.save_tier or rules.tier_order[0]}" if budget.save_at else ""
        )
        said.append(f"Budget {name}: {budget.usd} USD a {budget.per} of {of}{each}{saving}, then {budget.then}.")
    if policy.rollout is not None and candidate is not None:
        share = f" for {policy.rollout.share:.0%} of the sessions" if policy.rollout.mode == "canary" else ""
        said.append(f"Rollout: {candidate.source} ({candidate.hash}) as {policy.rollout.mode}{share}.")
    return said


def _show_tests(console: Console, tried: tuple[Tried, ...]) -> None:
    failed = [one for one in tried if not one.passed]
    if tried:
        console.print(Text(f"Tests: {len(tried) - len(failed)} of {len(tried)} passed."))
    for one in failed:
        console.print(Text(f"FAILED {one.name}", style="red"), soft_wrap=True)
        for line in one.wrong:
            console.print(Text(f"  {line}"), soft_wrap=True)
        console.print(Text(f"  decided: {one.got}"), soft_wrap=True)


def _usd_a_million(pico: int) -> str:
    cents = pico * 1_000_000 * 100 // PICO_PER_USD
    return f"{cents // 100}.{cents % 100:02}"
