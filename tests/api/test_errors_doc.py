"""docs/errors.md lists the codes as errors.CODES has them: no more, no fewer, no other words."""

from __future__ import annotations

import re

from router.errors import CODES

from ..processes import ROOT

TEXT = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(router_\w+)` \| (\d+) \| `(\w+)` \| ([\w ]+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
RETRY = {True: "true", False: "false", None: "not sent"}


def test_the_table_is_the_code() -> None:
    told = {name: (status, kind, retry, means) for name, status, kind, retry, means, _ in ROW.findall(TEXT)}
    assert {name: (str(code.status), code.type, RETRY[code.retry], code.means) for name, code in CODES.items()} == told


def test_every_code_says_what_to_do() -> None:
    assert [] == [name for name, *_, cure in ROW.findall(TEXT) if len(cure) < 20 or not cure.endswith(".")]


def test_no_other_code_is_named() -> None:
    assert set() == set(re.findall(r"\brouter_\w+", TEXT)) - set(CODES)
