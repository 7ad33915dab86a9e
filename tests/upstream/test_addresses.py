"""A webhook goes to the public internet only: hundreds of addresses that are none of it, in every spelling."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.upstream.addresses import is_public
from router.upstream.hooks import Hooks

# From IANA's registries of special-purpose addresses, and from what clouds and routers keep to themselves.
CLOSED = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.8/32
192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15
198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 239.0.0.0/8 240.0.0.0/4 255.255.255.255/32
::/128 ::1/128 ::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/32
2001:1::1/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16
2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fd00:ec2::254/128 fe80::/10 fec0::/10 ff00::/8 ff02::1/128
"""
INNER = "127.0.0.1 10.0.0.1 192.168.1.1 169.254.169.254 100.100.100.200 172.16.5.4 0.0.0.0"
SPELT = """
localhost 127.1 2130706433 0x7f000001 0177.0.0.1 127.0.0.1.  [::1] ::1%lo fe80::1%eth0 1.2.3 256.1.1.1 a.b.c.d
1.2.3.4/32 ::ffff:8.8.8.8 8.8.8.8:443 ::g 08.8.8.8
"""
OPEN = """
1.1.1.1 8.8.8.8 9.9.9.9 11.0.0.1 93.184.216.34 100.63.255.255 100.128.0.1 126.255.255.254 128.0.0.1 168.63.129.15
169.253.255.255 172.15.255.255 172.32.0.1 192.0.1.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 203.0.112.1
223.255.255.254 2001:4860:4860::8888 2606:4700:4700::1111 2a00:1450:4001::200e 2001:200::1 2003::1 3ffe::1
"""


def samples(network: str) -> list[str]:
    """The edges of a network, and what lies between."""
    found = ipaddress.ip_network(network)
    size = found.num_addresses
    places = {place for place in (0, 1, size // 3, size // 2, size - 1) if place < size}
    return [str(found[place]) for place in sorted(places)]


def carried(address: str) -> list[str]:
    """The same machine behind each of the ways to carry an IPv4 address in an IPv6 one."""
    number = int(ipaddress.IPv4Address(address))
    prefixes = ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::")
    embedded = [int(ipaddress.IPv6Address(prefix)) | number for prefix in prefixes]
    relayed = [(0x2002 << 112) | (number << 80), (0x20010000 << 96) | (number ^ 0xFFFFFFFF)]
    return [str(ipaddress.IPv6Address(value)) for value in (*embedded, *relayed)]


REFUSED = sorted(
    {address for network in CLOSED.split() for address in samples(network)}
    | {address for inner in INNER.split() for address in (inner, *carried(inner))}
    | set(SPELT.split())
)


def test_there_are_enough_of_them() -> None:
    assert len(REFUSED) >= 200


@pytest.mark.parametrize("address", REFUSED)
def test_this_is_not_the_public_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN.split())
def test_this_is_the_public_internet(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_knows_to_be_otherwise(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if is_public(str(address)):
        assert address.is_global
        kinds = (address.is_multicast, address.is_reserved, address.is_private, address.is_link_local)
        assert not any(kinds)


@pytest.mark.anyio
async def test_one_closed_address_among_open_ones_closes_the_name() -> None:
    asked: list[tuple[str, int]] = []
    leads_to: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return leads_to

    hooks = Hooks(resolve=resolve)
    for address in REFUSED:
        leads_to = ["8.8.8.8", address]
        assert [] == await hooks._judged("https://hooks.example.com:8443/x")
    leads_to = ["8.8.8.8", "2606:4700:4700::1111"]
    assert leads_to == await hooks._judged("https://hooks.example.com:8443/x")
    assert {("hooks.example.com", 8443)} == set(asked)


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0", "[::1]", "[::ffff:127.0.0.1]"])
async def test_an_address_in_any_spelling_is_judged_by_what_it_means(host: str) -> None:
    """The system's own resolver reads them, and none leads out of this machine."""
    hooks = Hooks()
    try:
        judged = await hooks._judged(f"https://{host}:1/x")
    except OSError:
        judged = []  # this system reads no such spelling
    assert [] == judged
    assert 0 == await hooks.post(f"https://{host}:1/x", b"{}", ())
