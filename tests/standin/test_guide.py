"""docs/standin.md tells the truth: its snippet runs, and it names every fault and every option."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import get_args

import click
import pytest

from router.cli.standin import standin
from router.standin.faults import Fault, Kind

GUIDE = (Path(__file__).parents[2] / "docs" / "standin.md").read_text(encoding="utf-8")


def test_every_kind_of_fault_has_its_row_and_no_other() -> None:
    table = GUIDE.split("## Faults")[1].split("## The bill")[0]
    assert sorted(get_args(Kind)) == sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_every_field_of_a_fault_is_told() -> None:
    assert [] == [name for name in Fault.__struct_fields__ if f"`{name}`" not in GUIDE and f'"{name}"' not in GUIDE]


def test_every_option_is_told() -> None:
    options = {name for option in standin.params if isinstance(option, click.Option) for name in option.opts}
    assert options == set(re.findall(r"`(--[a-z-]+)", GUIDE.split("## In a test")[0]))


@pytest.mark.anyio
async def test_its_snippet_runs() -> None:
    snippet = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert snippet is not None
    code = snippet[1].replace("asyncio.run(main())", "")
    scope: dict[str, object] = {}
    exec(compile(code, "docs/standin.md", "exec"), scope)  # noqa: S102 our own text
    main = scope["main"]
    assert asyncio.iscoroutinefunction(main)
    await main()
