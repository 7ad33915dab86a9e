"""Rules, requests and texts by chance: what the trace says is what is taken, and what "never matches" means."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from router.decide.policy import Range, Rule, When
from router.decide.rules import Sight, compiled, first_match, trace
from router.policyfile.rulechecks import _covers
from router.vocabulary import Facts, Words, Workload

names = st.sampled_from(["a", "ab", "b", "a*", "*", "*b"])
several = st.lists(names, max_size=2).map(tuple)
spans = st.none() | st.builds(Range, at_least=st.none() | st.integers(0, 5), below=st.none() | st.integers(1, 6))
whens = st.builds(
    When,
    feature=several,
    user=several,
    model=st.lists(st.sampled_from(["m", "m*"]), max_size=1).map(tuple),
    workload=st.lists(st.sampled_from(["batch", "interactive"]), max_size=2, unique=True).map(tuple),
    header=st.dictionaries(
        st.sampled_from(["x-a", "x-b"]), st.lists(names, min_size=1, max_size=2).map(tuple), max_size=2
    ),
    tools=st.none() | st.booleans(),
    turns=spans,
    keywords=st.lists(st.sampled_from(["k", "l"]), max_size=2, unique=True).map(tuple),
    matches=st.none() | st.sampled_from(["k", "z"]),
)
actions: list[Callable[[str, When], Rule]] = [
    lambda name, when: Rule(name=name, when=when, tier="t"),
    lambda name, when: Rule(name=name, when=when, refuse="no"),
    lambda name, when: Rule(name=name, when=when, task="chat"),
]
rules_by_chance = st.builds(lambda make, when: make("r", when), st.sampled_from(actions), whens)
sights = st.builds(
    lambda model, turns, tools, feature, user, workload, headers, text: Sight(
        facts=Facts(model=model, turns=turns, tool_count=tools),
        words=Words(feature=feature, user=user, workload=workload),
        tenant="web",
        headers=headers,
        says=lambda asked: asked.holds(text),
    ),
    st.sampled_from(["", "m", "mm"]),
    st.integers(0, 6),
    st.integers(0, 1),
    st.none() | st.sampled_from(["a", "ab", "b"]),
    st.none() | st.sampled_from(["a", "ab", "b"]),
    st.sampled_from([Workload.BATCH, Workload.INTERACTIVE]),
    st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.sampled_from(["a", "ab", "b"])),
    st.sampled_from(["", "k", "l", "k l", "z"]),
)


@given(st.lists(rules_by_chance, max_size=4), sights)
def test_the_trace_names_the_rule_that_is_taken(rules: list[Rule], seen: Sight) -> None:
    matchers = compiled(rules)
    matched = [rule for rule, yes, _ in trace(matchers, seen) if yes]
    found = first_match(matchers, seen)
    assert ([] if found is None else [found]) == matched


@given(rules_by_chance, rules_by_chance, st.lists(sights, min_size=20, max_size=20))
def test_a_rule_that_is_said_to_cover_another_matches_whatever_that_one_does(
    first: Rule, second: Rule, seen: list[Sight]
) -> None:
    if not _covers(first, second):
        return
    one, other = compiled([first, second])
    assert [] == [each for each in seen if other.matches(each) and not one.matches(each)]


@given(rules_by_chance)
def test_a_rule_covers_itself(rule: Rule) -> None:
    assert _covers(rule, rule)
