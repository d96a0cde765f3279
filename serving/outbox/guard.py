"""Which addresses may be called: an outside address that a workspace gave must not reach into the house.

A name is resolved once, every address it has is checked, and the connection goes to a checked address, so that a name
that changes between the check and the connection gains nothing.
"""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import SplitResult, urlsplit

import anyio
import anyio.to_thread
import httpcore

from nlp.errors import InputError

SETTING = "HOLOS_WEBHOOK_PRIVATE"
MAX_URL = 2000
RESOLVERS = 64
"""Names looked up at one time, each in a thread of its own: a name server that hangs must not hold up the others."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_INSIDE = tuple(
    ipaddress.IPv4Network(network)
    # protocol assignments (a cloud's metadata among them), old relays of 6to4, another cloud's own services
    for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")
)
"""Addresses that count as global and yet lead into the house."""


class RefusedError(httpcore.ConnectError):
    """The address is not one that may be called."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to public addresses only, unless `private` addresses are allowed."""

    def __init__(self, private: bool) -> None:
        self._private = private
        self._inner = httpcore.AnyIOBackend()
        self._resolvers = anyio.CapacityLimiter(RESOLVERS)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        error: Exception | None = None
        found = await anyio.to_thread.run_sync(resolve, host, port, limiter=self._resolvers, abandon_on_cancel=True)
        for address in check(found, self._private):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError as failed:
                error = failed
        raise error or httpcore.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


def resolve(host: str, port: int) -> list[str]:
    """Every address that a name has now."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpcore.ConnectError("the host's name has no address") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check(addresses: Iterable[str], private: bool) -> list[str]:
    """The addresses, if all of them may be called; RefusedError if any may not: a mixed name is a trap."""
    found = list(addresses)
    if not private:
        refused = next((address for address in found if not is_public(ipaddress.ip_address(address))), None)
        if refused is not None:
            raise RefusedError(f"{refused} is not a public address; {SETTING}=true allows such receivers")
    return found


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet: not private, loopback, link-local, shared, multicast, reserved.

    An IPv4 address wrapped in an IPv6 one counts as what it wraps.
    """
    inner = _wrapped(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address in _LOCAL_NAT64):
        return False
    if any(address in network for network in _INSIDE):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_url(url: str, private: bool) -> str:
    """The address of a webhook, if it has the right shape; what a name resolves to is checked at each connection.

    Raises InputError that says what is wrong with it.
    """
    parts = _split(url)
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise InputError(f"url: give an https:// address (http:// only where {SETTING} is set)")
    if parts.username is not None or parts.password is not None:
        raise InputError("url: leave out user and password; the signature proves who sends")
    if parts.fragment:
        raise InputError("url: leave out what follows #; it is never sent")
    literal = _literal(parts.hostname or "")
    if literal is not None and not private and not is_public(literal):
        raise InputError(f"url: {literal} is not a public address ({SETTING} allows such receivers)")
    return url


def _split(url: str) -> SplitResult:
    no_address = InputError("url: this is no address; give one such as https://example.com/hooks/holos")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise no_address
    try:
        parts = urlsplit(url)
        named, _, _ = parts.hostname, parts.port, httpcore.URL(url)
    except ValueError:
        raise no_address from None
    if not named:
        raise no_address
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _wrapped(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    found = address.ipv4_mapped or address.sixtofour
    if found is None and address.teredo:
        found = address.teredo[1]
    if found is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
        found = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return found
