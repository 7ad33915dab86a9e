"""A small world for policies: three files in a folder, written as a test needs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from router.errors import PolicyError
from router.policyfile import load

MODELS = """\
image_tokens_ceiling: 5000
models:
  small:
    line: haiku
    aliases: [small-20260101]
    context: 1000
    max_output: 500
    cache_minimum: 10
    thinking: {default: "on", accepts: [adaptive, disabled], off: disabled, off_up_to: high}
    effort: [low, high, max]
  large:
    line: opus
    context: 9000
    max_output: 800
    cache_minimum: 10
    thinking: {default: "on", accepts: [adaptive]}
    structured_outputs: false
    retires: 2026-12-01
    replacement: small
retired: {old: small}
"""
PRICES = """\
geo_percent: {us: 110}
models:
  small: [{since: 2026-01-01, input: 1, output: 2, write_5m: 1.25, write_1h: 2, read: 0.1}]
  large: [{since: 2026-01-01, input: 5, output: 9, write_5m: 6.25, write_1h: 10, read: 0.5}]
"""
POLICY = """\
tiers:
  cheap: {model: small}
  dear: {model: large}
classifier: {model: small}
"""

Write = Callable[..., Path]
Problems = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the three files and gives the policy's path."""

    def writer(policy: str = POLICY, models: str = MODELS, prices: str = PRICES) -> Path:
        (tmp_path / "models.yaml").write_text(models, encoding="utf-8")
        (tmp_path / "prices.yaml").write_text(prices, encoding="utf-8")
        path = tmp_path / "policy.yaml"
        path.write_text(policy, encoding="utf-8")
        return path

    return writer


@pytest.fixture
def problems(write: Write, tmp_path: Path) -> Problems:
    """Loads what must be wrong; each problem as `file:line:column: message`, without its folder and excerpt."""

    def loader(policy: str = POLICY, models: str = MODELS, prices: str = PRICES) -> list[str]:
        with pytest.raises(PolicyError) as caught:
            load(write(policy, models, prices))
        return [text.replace(f"{tmp_path}/", "").split("\n")[0] for text in caught.value.problems]

    return loader
