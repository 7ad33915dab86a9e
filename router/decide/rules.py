"""Which rule of the policy a request meets, and why not the others.

Rule: pure. A policy's rules are compiled once, when it is loaded; a request walks them in order until one
matches. What is asked of the text is asked last, through `Sight.says`, so that a request whose rules never
look at its text never has it read, and a past request can be judged by the answers that were kept.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec
import re2

from ..vocabulary import Facts, Words
from .language import language_of
from .policy import Range, Rule, When
from .price import input_estimate

# Of the user's text: more is not looked at, so that no text can hold the service up.
TEXT_CHARS_MAX = 100_000
ANY_MODEL = frozenset({"", "auto", "claude-auto"})
_QUIET = re2.Options()
_QUIET.log_errors = False


class BadPattern(ValueError):
    """A regular expression that RE2 does not take, in words."""


class OfText(msgspec.Struct, frozen=True):
    """What one rule asks of the text. `digest` names the question in the ledger, without the text."""

    digest: str
    languages: tuple[str, ...]
    patterns: tuple[re2._Regexp, ...]

    def holds(self, text: str) -> bool:
        seen = unicodedata.normalize("NFC", text[:TEXT_CHARS_MAX])
        if not all(pattern.search(seen) for pattern in self.patterns):
            return False
        return not self.languages or language_of(seen) in self.languages


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What rules may look at. `says` answers what a rule asks of the text."""

    facts: Facts
    words: Words
    tenant: str
    headers: Mapping[str, str]
    says: Callable[[OfText], bool]


class Check(NamedTuple):
    """One condition: does it hold, and what is said when it does not."""

    holds: Callable[[Sight], bool]
    otherwise: str


class Matcher(msgspec.Struct, frozen=True):
    """A rule made ready to be held against requests."""

    rule: Rule
    checks: tuple[Check, ...]
    of_text: OfText | None

    def matches(self, sight: Sight) -> bool:
        return all(check.holds(sight) for check in self.checks)

    def obstacle(self, sight: Sight) -> str | None:
        """Why it does not match; None when it does."""
        return next((check.otherwise for check in self.checks if not check.holds(sight)), None)


def compiled(rules: Iterable[Rule]) -> tuple[Matcher, ...]:
    """Raises BadPattern; policyfile/ has checked every rule before."""
    return tuple(_matcher(rule) for rule in rules)


def first_match(matchers: tuple[Matcher, ...], sight: Sight) -> Rule | None:
    return next((matcher.rule for matcher in matchers if matcher.matches(sight)), None)


def trace(matchers: tuple[Matcher, ...], sight: Sight) -> list[tuple[Rule, bool, str]]:
    """Every rule with whether it matched and why, for /explain; those after the first match are not looked at."""
    told: list[tuple[Rule, bool, str]] = []
    over = False
    for matcher in matchers:
        obstacle = "not looked at: an earlier rule matched" if over else matcher.obstacle(sight)
        told.append((matcher.rule, obstacle is None, obstacle or "every condition holds"))
        over = over or obstacle is None
    return told


def header_names(rules: Iterable[Rule]) -> frozenset[str]:
    """The headers that a policy's rules look at."""
    return frozenset(name for rule in rules for name in rule.when.header)


def pattern(text: str) -> re2._Regexp:
    """Raises BadPattern, with RE2's own words."""
    try:
        return re2.compile(text, _QUIET)
    except re2.error as error:
        said = error.args[0] if error.args else error
        raise BadPattern(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None


def _matcher(rule: Rule) -> Matcher:
    when = rule.when
    checks = [*_names(when), *_shapes(when), *_overrule(rule)]
    of_text = _of_text(when)
    if of_text is not None:
        checks.append(Check(lambda sight, asked=of_text: sight.says(asked), _text_words(when)))  # type: ignore[misc]
    return Matcher(rule, tuple(checks), of_text)


def _overrule(rule: Rule) -> list[Check]:
    """Without a look at `model`, a rule that places a request leaves one alone that names its own."""
    if rule.when.model or rule.refuse is not None or rule.canned is not None:
        return []
    return [
        Check(lambda sight: sight.facts.model in ANY_MODEL, "the caller named a model, and the rule has no `model`")
    ]


def _names(when: When) -> list[Check]:
    readers: dict[str, tuple[tuple[str, ...], Callable[[Sight], str | None]]] = {
        "feature": (when.feature, lambda sight: sight.words.feature),
        "user": (when.user, lambda sight: sight.words.user),
        "session": (when.session, lambda sight: sight.words.session),
        "tenant": (when.tenant, lambda sight: sight.tenant),
        "task": (when.task, lambda sight: sight.words.task),
        "model": (when.model, lambda sight: sight.facts.model),
        "workload": (when.workload, lambda sight: sight.words.workload.value),
    }
    checks = [_named(key, wanted, read) for key, (wanted, read) in readers.items() if wanted]
    for header, values in when.header.items():
        checks.append(_named(f"the header {header}", values, lambda sight, name=header: sight.headers.get(name)))  # type: ignore[misc]
    return checks


def _named(what: str, wanted: tuple[str, ...], read: Callable[[Sight], str | None]) -> Check:
    otherwise = f"{what} is not {' or '.join(wanted)}"
    if not any("*" in one for one in wanted):
        known = frozenset(wanted)
        return Check(lambda sight: read(sight) in known, otherwise)
    globs = pattern("|".join(f"(?:{'.*'.join(re2.escape(part) for part in one.split('*'))})" for one in wanted))

    def holds(sight: Sight) -> bool:
        value = read(sight)
        return value is not None and globs.fullmatch(value) is not None

    return Check(holds, otherwise)


def _shapes(when: When) -> list[Check]:
    checks = []
    if when.tools is not None:
        checks.append(_present("tools", when.tools, lambda facts: facts.tool_count))
    if when.images is not None:
        checks.append(_present("images", when.images, lambda facts: facts.image_count))
    if when.documents is not None:
        checks.append(_present("documents", when.documents, lambda facts: facts.document_count))
    if when.turns is not None:
        checks.append(_ranged("turns", when.turns, lambda facts: facts.turns))
    if when.input_tokens is not None:
        checks.append(_ranged("input_tokens", when.input_tokens, input_estimate))
    return checks


def _present(what: str, wanted: bool, count: Callable[[Facts], int]) -> Check:
    return Check(
        lambda sight: (count(sight.facts) > 0) == wanted, f"the request has {'no' if wanted else 'some'} {what}"
    )


def _ranged(what: str, wanted: Range, measure: Callable[[Facts], int]) -> Check:
    low = 0 if wanted.at_least is None else wanted.at_least
    high = wanted.below

    def holds(sight: Sight) -> bool:
        value = measure(sight.facts)
        return value >= low and (high is None or value < high)

    bounds = [f"at least {low}"] if wanted.at_least is not None else []
    bounds += [f"below {high}"] if high is not None else []
    return Check(holds, f"{what} is not {' and '.join(bounds)}")


def _of_text(when: When) -> OfText | None:
    if not (when.language or when.keywords or when.matches):
        return None
    asked = msgspec.json.encode((when.language, when.keywords, when.matches))
    patterns = [pattern(when.matches)] if when.matches else []
    if when.keywords:
        patterns.append(_any_word(when.keywords))
    digest = hashlib.blake2b(asked, digest_size=6).hexdigest()
    return OfText(digest, when.language, tuple(patterns))


def _any_word(words: tuple[str, ...]) -> re2._Regexp:
    """Any of the words as a whole: a letter or digit beside it makes another word of it, except in scripts
    that are written without spaces."""
    return pattern("(?i)" + "|".join(_word(unicodedata.normalize("NFC", word)) for word in words))


def _word(word: str) -> str:
    spelt = r"\s+".join(re2.escape(part) for part in word.split())
    before = r"(?:^|[^\pL\pN_])" if _is_joined(word[0]) else ""
    after = r"(?:$|[^\pL\pN_])" if _is_joined(word[-1]) else ""
    return f"(?:{before}{spelt}{after})"


def _is_joined(letter: str) -> bool:
    """Is it a letter or digit of a script that puts spaces between words?"""
    unspaced = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
    return (letter.isalnum() or letter == "_") and not unicodedata.name(letter, "").startswith(unspaced)


def _text_words(when: When) -> str:
    asked = {"language": when.language, "keywords": when.keywords, "matches": when.matches}
    return f"the text does not meet {' and '.join(name for name, wanted in asked.items() if wanted)}"
