"""One mother for all, and for each file one calm service in front of each kind of API, swept before every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from .street import CALM, Mother, Played, Scripted, played, running_mother, scripted


@pytest.fixture(scope="session")
def mother(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mother]:
    with running_mother(tmp_path_factory.mktemp("mother")) as mother:
        yield mother


@pytest.fixture(scope="module")
async def played_street(mother: Mother, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    async with played(mother, tmp_path_factory.mktemp("played"), CALM) as street:
        yield street


@pytest.fixture(scope="module")
async def scripted_street(mother: Mother, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scripted]:
    async with scripted(mother, tmp_path_factory.mktemp("scripted"), CALM) as street:
        yield street


@pytest.fixture
def calm(played_street: Played) -> Played:
    """In front of the stand-in."""
    played_street.api.faults.clear()
    played_street.api.seen.clear()
    return played_street


@pytest.fixture
def raw(scripted_street: Scripted) -> Scripted:
    """In front of an API that plays what the test says."""
    scripted_street.api.fresh()
    return scripted_street
