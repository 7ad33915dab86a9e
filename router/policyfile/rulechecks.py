"""What is wrong with a policy's rules: an action that is none, a name that is not there, a rule that never matches.

Rule: whether a request matches is decide/rules.py's; here it is only asked whether a rule can be one.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ..decide import language
from ..decide.policy import Range, Rule, When
from ..decide.rules import BadPattern, pattern
from .crosschecks import Sources
from .document import find
from .report import Report, listed, nearest, quoted

SECRET_HEADERS = frozenset({"authorization", "x-api-key", "cookie", "proxy-authorization", "set-cookie"})
ACTIONS = ("tier", "model", "task", "refuse", "canned")
NAMES = ("feature", "user", "session", "tenant", "task", "model", "workload")


def check_rules(sources: Sources, report: Report) -> None:
    """Reports everything that is wrong or unwise in `rules`."""
    checks = _RuleChecks(sources, report)
    rules = sources.policy.rules
    seen: set[str] = set()
    for number, rule in enumerate(rules):
        if rule.name in seen:
            checks.error((number, "name"), f"a rule is already called `{rule.name}`; each name stands once")
        seen.add(rule.name)
        checks.action(number, rule)
        checks.condition(number, rule)
        checks.reachable(number, rule, rules[:number])


class _RuleChecks:
    def __init__(self, sources: Sources, report: Report) -> None:
        self._sources = sources
        self._report = report

    def error(self, path: tuple[str | int, ...], message: str, *, key: bool = False) -> None:
        spot = find(self._sources.root, "rules", *path, key=key)
        self._report.error(self._sources.page, spot, message)

    def action(self, number: int, rule: Rule) -> None:
        given = [name for name in ACTIONS if getattr(rule, name) is not None]
        if not given:
            self.error((number, "name"), f"the rule `{rule.name}` does nothing; give it one of {listed(ACTIONS)}")
        answers = [name for name in given if name in ("refuse", "canned")]
        if (answers and len(given) > 1) or {"tier", "model"} <= set(given):
            allowed = "one of tier, model, refuse and canned, or a task, alone or beside a tier or a model"
            self.error((number, given[-1]), f"{' and '.join(given)} do not go together; a rule has {allowed}", key=True)
        known = {"tier": self._sources.policy.tiers, "task": self._sources.tasks}
        for name, names in known.items():
            value = getattr(rule, name)
            if value is not None and value not in names:
                hint = nearest(value, names)
                self.error((number, name), f"no {name} is called `{value}`{hint}; there are: {listed(names)}")
        if rule.model is not None and self._sources.id_of(rule.model) is None:
            hint = nearest(rule.model, self._sources.catalogue.models)
            self.error((number, "model"), f"models.yaml has no model {quoted(rule.model)}{hint}")

    def condition(self, number: int, rule: Rule) -> None:
        when = rule.when
        for header in when.header:
            if header in SECRET_HEADERS:
                self.error(
                    (number, "when", "header", header), f"`{header}` holds a secret; no rule may read it", key=True
                )
            elif header != header.lower():
                message = f"header names are lower-case here: `{header.lower()}`"
                self.error((number, "when", "header", header), message, key=True)
        for key in ("input_tokens", "turns"):
            span: Range | None = getattr(when, key)
            if span is not None and not _holds_something(span):
                self.error(
                    (number, "when", key), f"nothing is at least {span.at_least} and below {span.below}", key=True
                )
        for index, word in enumerate(when.keywords):
            if not word.strip():
                self.error((number, "when", "keywords", index), "an empty keyword is in every text; remove it")
        if when.matches is not None:
            self._pattern(number, when.matches)
        if when.language:
            self._languages(number, when.language)

    def _pattern(self, number: int, text: str) -> None:
        try:
            pattern(text)
        except BadPattern as problem:
            message = f"this is no regular expression that RE2 takes: {problem}"
            self.error((number, "when", "matches"), f"{message} (it has no look-around and no back-references)")

    def _languages(self, number: int, wanted: tuple[str, ...]) -> None:
        if not language.is_installed():
            message = "`language` needs the extra `language`: pip install 'tierwise[language]'"
            self.error((number, "when", "language"), message, key=True)
            return
        known = language.languages()
        for index, code in enumerate(wanted):
            if code not in known:
                message = (
                    f"{quoted(code)} is no language code that is told apart{nearest(code, known)}; such as en, de, fr"
                )
                self.error((number, "when", "language", index), message)

    def reachable(self, number: int, rule: Rule, before: Iterable[Rule]) -> None:
        """A rule behind one that matches whatever it matches is never reached."""
        for earlier in before:
            if _covers(earlier, rule):
                spot = find(self._sources.root, "rules", number, "name")
                message = f"the rule `{rule.name}` can never match: `{earlier.name}` above it matches all that it does"
                self._report.warn(self._sources.page, spot, message)
                return


def _covers(first: Rule, second: Rule) -> bool:
    """Does the first rule match every request that the second one does?"""
    leaves_named_alone = not first.when.model and first.refuse is None and first.canned is None
    meets_named = bool(second.when.model) or second.refuse is not None or second.canned is not None
    if leaves_named_alone and meets_named:
        return False
    a, b = first.when, second.when
    names = all(_wider(getattr(a, key), getattr(b, key)) for key in NAMES)
    headers = all(_wider(values, b.header.get(name, ())) for name, values in a.header.items())
    shapes = all(getattr(a, key) in (None, getattr(b, key)) for key in ("tools", "images", "documents", "matches"))
    return names and headers and shapes and _covers_text_and_size(a, b)


def _covers_text_and_size(a: When, b: When) -> bool:
    spans = all(_contains(getattr(a, key), getattr(b, key)) for key in ("input_tokens", "turns"))
    languages = not a.language or (bool(b.language) and set(b.language) <= set(a.language))
    keywords = not a.keywords or (bool(b.keywords) and set(b.keywords) <= set(a.keywords))
    return spans and languages and keywords


def _wider(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Is everything that the narrow names match matched by the wide ones? None at all is everything."""
    if not wide:
        return True
    return bool(narrow) and all(any(fnmatchcase(one, other) for other in wide) for one in narrow)


def _contains(wide: Range | None, narrow: Range | None) -> bool:
    if wide is None:
        return True
    if narrow is None:
        return wide.at_least in (None, 0) and wide.below is None
    low = (wide.at_least or 0) <= (narrow.at_least or 0)
    return low and (wide.below is None or (narrow.below is not None and narrow.below <= wide.below))


def _holds_something(span: Range) -> bool:
    return span.below is None or (span.at_least or 0) < span.below
