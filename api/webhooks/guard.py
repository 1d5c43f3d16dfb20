"""Where a webhook may go: members name addresses, and none of them may lead into the gateway's own network (SSRF).

An address is judged as text when it is registered, and by what its name leads to at every attempt. The connection is
made to the very address that was judged; the name is not looked up again, so it cannot change in between.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ledger.domain.errors import LedgerError

Resolve = Callable[[str, int], Sequence[str]]
Network = IPv4Network | IPv6Network
MAX_URL: Final = 1_000
PORTS: Final = frozenset({443, 8443})
TUNNELS: Final = tuple(
    ip_network(each)
    for each in ("64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "::/96", "192.88.99.0/24", "fec0::/10")
)
"""Ranges whose addresses stand for others: NAT64, Teredo, 6to4, IPv4-compatible; and site-local, now retired."""
HOST: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
LOOKS_NUMERIC: Final = re.compile(r"(\d+|0x[0-9a-f]*)", re.IGNORECASE)


class AddressRefused(LedgerError):
    """A webhook may not go there. Why stays unsaid: an answer would tell strangers what is in this network."""

    code = "webhook.address"


@dataclass(frozen=True, slots=True)
class Target:
    """An address in its parts."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    def at(self, address: str) -> str:
        """Return the URL with an IP address in the place of the name."""
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def look_up(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses of a name.

    Raises:
        OSError: there are none.
    """
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True)
class Guard:
    """What this gateway allows.

    Attributes:
        allowed: networks beside the public internet that it was started with an allowance for.
        plain: http is taken too, and any port; demo chains only.
        resolve: looks names up.
    """

    allowed: tuple[Network, ...] = ()
    plain: bool = False
    resolve: Resolve = look_up

    def read(self, url: str) -> Target:
        """Read an address as it was registered.

        Raises:
            AddressRefused: no https, credentials, a port that is not on the list, or a host that is none.
        """
        parts = self._split(url)
        host = (parts.hostname or "").rstrip(".")
        scheme = parts.scheme.lower()
        if scheme != "https" and not (self.plain and scheme == "http"):
            raise _refused("Webhooks go to https addresses.", "Use https.")
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise _refused("An address may not hold credentials.", "Check the signature instead.")
        if parts.fragment:
            raise _refused("An address may not have a fragment.", "Leave out # and what follows.")
        port = parts.port or (443 if scheme == "https" else 80)
        if not self.plain and port not in PORTS:
            raise _refused("Webhooks go to ports 443 and 8443.", "Use one of these.")
        literal = _literal(host)
        if literal is None and not HOST.fullmatch(host):
            raise _refused("The host is no name in ASCII.", "Write an international name in punycode.")
        if literal is None and LOOKS_NUMERIC.fullmatch(host.rsplit(".", 1)[-1]):
            raise _refused("The host is no IPv4 address in its usual form.", "Use a name.")
        if literal is not None and not self.permits(literal):
            raise _elsewhere()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(scheme, host, port, path)

    @staticmethod
    def _split(url: str) -> SplitResult:
        if len(url) > MAX_URL or not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
            raise _refused("This is no address.", "Give a URL in ASCII, at most 1,000 characters.")
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018  it is checked when it is read
        except ValueError as error:
            raise _refused("This is no address.", "Give a URL.") from error
        return parts

    def pin(self, target: Target) -> str:
        """Look the host up; return the one address to connect to.

        Raises:
            AddressRefused: the name leads nowhere, or to any address that is not allowed.
        """
        try:
            found = [ip_address(each.partition("%")[0]) for each in self.resolve(target.host, target.port)]
        except (OSError, ValueError, UnicodeError) as error:
            raise _elsewhere() from error
        if not found or not all(map(self.permits, found)):
            raise _elsewhere()
        return str(found[0])

    def permits(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether an address is public, or in a network that is allowed."""
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in self.allowed if network.version == address.version):
            return True
        if any(address in network for network in TUNNELS if network.version == address.version):
            return False
        return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _refused(detail: str, hint: str) -> AddressRefused:
    return AddressRefused(detail, hint=hint)


def _elsewhere() -> AddressRefused:
    return _refused("The address leads nowhere that webhooks may go.", "Use a public address.")
