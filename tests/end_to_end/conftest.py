"""One street for each file of this folder, swept before every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import anthropic
import pytest

from ..processes import service, standin
from .street import POLICY, Street


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder = tmp_path_factory.mktemp("street")
    (folder / "policy.yaml").write_text(POLICY)
    with (
        standin(folder, "--keep-requests") as back,
        service(folder, back.url, TIERWISE_POLICY=str(folder / "policy.yaml")) as front,
    ):
        yield Street(front, back, folder / "data")


@pytest.fixture
def street(built: Street) -> Street:
    built.fresh()
    return built


@pytest.fixture
async def client(street: Street) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=street.front.url, api_key="callers-own", max_retries=0) as sdk:
        yield sdk
