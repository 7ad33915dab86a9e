"""A webhook reaches the machine that its name led to when it was judged, over real TLS, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from router.upstream.hooks import Hooks

from .receiving import NAME, Receiver, certificate, receiving, trusting

pytestmark = pytest.mark.anyio
HEADERS = (("content-type", "application/json"), ("x-tierwise-delivery", "dlv_1"))
LOCAL = "127.0.0.1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))


class Resolver:
    """Leads to one address after the other."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        return [self.addresses.pop(0)]


def hooks(resolver: Resolver, made: Path, is_allowed: Callable[[str], bool] = LOCAL.__eq__) -> Hooks:
    return Hooks(resolve=resolver, is_allowed=is_allowed, context=trusting(made), timeout_s=2.0)


async def test_it_arrives_under_its_name_with_its_body_and_headers(made: Path) -> None:
    receiver, resolver = Receiver(204), Resolver(LOCAL)
    async with receiving(receiver, made) as port:
        assert 204 == await hooks(resolver, made).post(f"https://{NAME}:{port}/hook?x=1", b'{"id":1}', HEADERS)
    ((headers, body),) = receiver.came
    assert (b'{"id":1}', f"{NAME}:{port}", "dlv_1") == (body, headers["host"], headers["x-tierwise-delivery"])
    assert ([NAME], [NAME]) == (receiver.names, resolver.asked)
    assert {"cookie", "authorization", "x-api-key"}.isdisjoint(headers)


async def test_a_name_that_leads_elsewhere_the_second_time_leads_nobody_astray(made: Path) -> None:
    """Rebinding: it is asked once for each post, and judged each time."""
    honest, inner = Receiver(), Receiver()
    resolver = Resolver(LOCAL, "127.0.0.2", LOCAL)
    async with receiving(honest, made) as port, receiving(inner, made, "127.0.0.2", port):
        posting = hooks(resolver, made)
        url = f"https://{NAME}:{port}/hook"
        assert [200, 0, 200] == [await posting.post(url, b"{}", ()) for _ in range(3)]
    assert (3, 2, 0) == (len(resolver.asked), len(honest.came), len(inner.came))


async def test_this_machine_is_never_told(made: Path) -> None:
    """With the judgement that the service has."""
    receiver = Receiver()
    async with receiving(receiver, made) as port:
        real = Hooks(resolve=Resolver(LOCAL), context=trusting(made))
        assert 0 == await real.post(f"https://{NAME}:{port}/hook", b"{}", ())
        assert 0 == await Hooks(context=trusting(made)).post(f"https://localhost:{port}/hook", b"{}", ())
        assert 0 == await Hooks(context=trusting(made)).post(f"https://{LOCAL}:{port}/hook", b"{}", ())
    assert [] == receiver.came + receiver.names


async def test_a_certificate_for_another_name_is_not_believed(made: Path) -> None:
    receiver = Receiver()
    async with receiving(receiver, made) as port:
        posting = hooks(Resolver(LOCAL), made)
        assert 0 == await posting.post(f"https://other.example.com:{port}/hook", b"{}", ())
    assert [] == receiver.came


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(made: Path) -> None:
    receiver = Receiver()
    async with receiving(receiver, made) as port:
        posting = Hooks(resolve=Resolver(LOCAL), is_allowed=LOCAL.__eq__)
        assert 0 == await posting.post(f"https://{NAME}:{port}/hook", b"{}", ())
    assert [] == receiver.came


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(made: Path, status: int) -> None:
    receiver, resolver = Receiver(status), Resolver(LOCAL, LOCAL)
    async with receiving(receiver, made) as port:
        assert status == await hooks(resolver, made).post(f"https://{NAME}:{port}/hook", b"{}", ())
    assert (1, 1) == (len(receiver.came), len(resolver.asked))


async def test_a_receiver_that_hangs_is_left_after_its_time(made: Path) -> None:
    receiver = Receiver(0)
    async with receiving(receiver, made) as port:
        posting = Hooks(resolve=Resolver(LOCAL), is_allowed=LOCAL.__eq__, context=trusting(made), timeout_s=0.3)
        assert 0 == await posting.post(f"https://{NAME}:{port}/hook", b"{}", ())
    assert 1 == len(receiver.came)


async def test_an_answer_without_end_is_not_read(made: Path) -> None:
    receiver = Receiver(-1)
    async with receiving(receiver, made) as port:
        assert 200 == await hooks(Resolver(LOCAL), made).post(f"https://{NAME}:{port}/hook", b"{}", ())
    assert receiver.sent_bytes < 16 * 1024 * 1024, "what the buffers of two sockets hold, and no more"


@pytest.mark.parametrize("url", ["http://hooks.example.com/hook", "https:///hook", "ftp://hooks.example.com/"])
async def test_only_https_is_spoken(url: str, made: Path) -> None:
    resolver = Resolver(LOCAL)
    assert (0, []) == (await hooks(resolver, made).post(url, b"{}", ()), resolver.asked)


async def test_a_name_that_leads_nowhere_is_no_exception(made: Path) -> None:
    async def nowhere(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    assert 0 == await Hooks(resolve=nowhere).post(f"https://{NAME}/hook", b"{}", ())
    assert 0 == await hooks(Resolver(LOCAL), made).post(f"https://{NAME}:1/hook", b"{}", ())
