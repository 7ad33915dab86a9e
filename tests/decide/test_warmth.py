"""What a warm cache is worth when a model is chosen: never below what is needed, never back and forth."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.decide.choosing import Known, choose
from router.decide.policy import Rulebook
from router.decide.warmth import Mood, call_pico, prompt_pico
from router.vocabulary import Choice, Difficulty, Facts, Verdict, Warmth

from ..rulebooks import default_rules, rules_from

RULES = default_rules()
HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"
SHORT = Facts(turns=9, messages_bytes=50_000)
LONG = Facts(turns=9, messages_bytes=500_000)
NEEDS = {"haiku": Difficulty.SIMPLE, "sonnet": Difficulty.COMPLEX, "opus": Difficulty.EDGE_CASE}


def chosen(
    needs: str | None,
    pinned: str | None,
    *warmth: Warmth,
    mood: Mood = Mood(),
    facts: Facts = LONG,
    rules: Rulebook = RULES,
) -> Choice:
    verdict = Verdict(task="general", difficulty=NEEDS[needs] if needs else None, source="classifier")
    return choose(Known(facts=facts, pinned=pinned, mood=mood, warmth=warmth), verdict, rules)


def warm(model: str, tokens: int, total: int = 200_000) -> Warmth:
    return Warmth(model=model, tokens=total, warm_tokens=tokens, output_tokens=200)


def test_a_warm_sonnet_is_cheaper_than_a_cold_haiku_above_100k_tokens() -> None:
    """Facts: Haiku 5.5 costs five times as much once the prompt is longer than 100,000 tokens."""
    found = chosen("haiku", None, warm(HAIKU, 0), warm(SONNET, 199_000), warm(OPUS, 0))
    assert (found.tier, found.wanted) == ("sonnet", "haiku")
    assert "sonnet has it in its cache: about 0.0244 USD there, 0.1255 on haiku" in found.reason


def test_below_100k_a_cold_haiku_is_the_cheaper_one() -> None:
    short = Facts(turns=9, messages_bytes=100_000)
    found = chosen("haiku", None, warm(HAIKU, 0, 40_000), warm(SONNET, 39_000, 40_000), facts=short)
    assert found.tier == "haiku"


def test_it_is_never_below_what_is_needed() -> None:
    assert chosen("opus", None, warm(HAIKU, 199_000), warm(SONNET, 199_000)).tier == "opus"


def test_a_conversation_comes_down_after_calm_turns_when_that_pays() -> None:
    warmth = (warm(HAIKU, 0, 20_000), warm(OPUS, 19_000, 20_000))
    facts = Facts(turns=9, messages_bytes=50_000)
    assert [chosen("haiku", "opus", *warmth, mood=Mood(calm=calm), facts=facts).tier for calm in (0, 2, 3)] == [
        "opus",
        "opus",
        "haiku",
    ]
    assert (
        "moved down from opus: 3 turns in a row needed no more"
        in chosen("haiku", "opus", *warmth, mood=Mood(calm=3), facts=facts).reason
    )


@pytest.mark.parametrize(
    "why",
    [
        {"mood": Mood(calm=9, came_down=True)},
        {"needs": None},
        {"facts": Facts(turns=9, messages_bytes=50_000, has_thinking_blocks=True)},
    ],
)
def test_it_does_not_come_down_twice_nor_unjudged_nor_with_thinking_to_lose(why: dict[str, object]) -> None:
    asked: dict[str, object] = {
        "needs": "haiku",
        "facts": Facts(turns=9, messages_bytes=50_000),
        "mood": Mood(calm=9),
        **why,
    }
    needs = asked.pop("needs")
    warmth = (warm(HAIKU, 0, 20_000), warm(OPUS, 19_000, 20_000))
    assert chosen(needs, "opus", *warmth, **asked).tier == "opus"  # type: ignore[arg-type]


def test_a_long_warm_conversation_stays_where_moving_costs_more() -> None:
    assert chosen("haiku", "opus", warm(HAIKU, 0), warm(OPUS, 199_500), mood=Mood(calm=3)).tier == "opus"


def test_the_policy_can_keep_it_from_coming_down(tmp_path: Path) -> None:
    rules = rules_from(
        "tiers:\n  haiku: {model: claude-haiku-5-5}\n  opus: {model: claude-opus-5-5}\n"
        "difficulty: {simple: haiku, complex: haiku, edge_case: opus}\nsticky: {down: never}\n",
        tmp_path,
    )
    assert (
        chosen("haiku", "opus", mood=Mood(calm=50), facts=Facts(turns=3, messages_bytes=9_000), rules=rules).tier
        == "opus"
    )


def test_a_named_model_stays() -> None:
    found = chosen("haiku", None, warm(SONNET, 199_000), facts=Facts(model=HAIKU, turns=9, messages_bytes=500_000))
    assert (found.model, found.wanted) == (HAIKU, None)


def test_the_costs_are_the_prices() -> None:
    book = RULES.prices
    assert prompt_pico(SONNET, 1_000, 400, book) == 400 * 100_000 + 600 * 2_500_000
    assert prompt_pico(HAIKU, 100_001, 0, book) == 100_001 * 625_000
    one = Warmth(model=SONNET, tokens=1_000, warm_tokens=400, output_tokens=10)
    assert call_pico(SONNET, Facts(), (one,), book) == prompt_pico(SONNET, 1_000, 400, book) + 10 * 10_000_000
