"""A suite of sums, a stand-in that can do some of them, and what a run needs to ask it over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from evals.cli.opening import Making, opened
from evals.desk import Desk, Options
from evals.ports import Asker
from evals.vocabulary import Answered, Case, Claim, Grade, GraderSpec, Suite
from router.clock import SystemClock
from router.settings import Settings, load_settings
from router.standin import Pace, StandIn, running_standin
from router.vocabulary import PICO_PER_USD

Script = Callable[[dict[str, Any]], str | None]
SYSTEM = "You add numbers. Answer with the sum only."


def suite(count: int = 12, *, name: str = "sums", budget_usd: float = 5.0, **changes: Any) -> Suite:
    """Sums that the stand-in gets right where the first number is no multiple of five."""
    made = tuple(
        Case(id=f"s-{number:03d}", fields={"input": f"{number} + {number}"}, expected=str(2 * number), line=number)
        for number in range(1, count + 1)
    )
    given: dict[str, Any] = {
        "name": name,
        "task": "classify",
        "system": SYSTEM,
        "template": "What is {input}?",
        "grader": GraderSpec(kind="exact"),
        "claim": Claim(kind="bar", value=0.9),
        "budget_pico": int(budget_usd * PICO_PER_USD),
        "max_tokens": 300,
        "cases": made,
        "hash": "0" * 16,
        "folder": Path("suites") / name,
    }
    return Suite(**(given | changes))


def render(suite: Suite, case: Case) -> str:
    return suite.template.replace("{input}", case.fields["input"])


def sums(body: dict[str, Any]) -> str | None:
    """The script of the stand-in."""
    content = body["messages"][-1]["content"]
    text = content if isinstance(content, str) else "".join(block["text"] for block in content)
    if not text.startswith("What is "):
        return None
    number = int(text.removeprefix("What is ").partition(" ")[0])
    return "no idea" if number % 5 == 0 else str(2 * number)


class Exactly:
    """A tiny grader."""

    def __init__(self, suite: Suite, asker: Asker) -> None:
        self._asker = asker

    async def grade(self, case: Case, answer: Answered) -> Grade:
        passed = answer.text == case.expected
        return Grade(passed=passed, score=float(passed), why="" if passed else f"expected {case.expected}")


MAKING = Making(render=render, grader_of=Exactly)


def settings_for(url: str, data: Path, policy: Path | None = None) -> Settings:
    """As if ANTHROPIC_BASE_URL named this address."""
    own = load_settings(env_file=None, data_dir=data, **({} if policy is None else {"policy": policy}))
    asks = {"base_url": url, "api_key": SecretStr("test-key"), "auth_token": None}
    return own.model_copy(update={"anthropic": own.anthropic.model_copy(update=asks)})


def nobody(data: Path) -> Settings:
    """As if nobody said whom to ask."""
    own = load_settings(env_file=None, data_dir=data)
    asks = {"base_url": None, "api_key": None, "auth_token": None}
    return own.model_copy(update={"anthropic": own.anthropic.model_copy(update=asks)})


@asynccontextmanager
async def upstream(
    latency_s: float = 0.0, script: Callable[[dict[str, Any]], str | None] = sums
) -> AsyncIterator[StandIn]:
    pace = Pace(latency_s=latency_s)
    async with running_standin(clock=SystemClock(), keep_requests=True, pace=pace, script=script) as standin:
        yield standin


@asynccontextmanager
async def desk_at(
    standin: StandIn, data: Path, *suites: Suite, making: Making = MAKING, policy: Path | None = None, **options: Any
) -> AsyncIterator[Desk]:
    settings = settings_for(standin.url, data, policy)
    async with opened(settings, Options(quiet=True, **options), suites, making) as desk:
        yield desk
