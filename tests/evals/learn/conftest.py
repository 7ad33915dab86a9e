"""The fits' matrices are small: on one thread they take a third of the time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evals.learn.solving import on_one_thread


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    with on_one_thread():
        yield
