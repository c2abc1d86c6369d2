"""Who asks, and under which address, when trusted proxies stand between: `X-Forwarded-*` of theirs and nobody else.

A header that anybody may write is not believed: it would let a guesser have a new address with every guess, and put
any name into links.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")
# What a proxy that was told nothing adds, besides those.
SIGNS = (*FORWARDED, "Forwarded", "Via", "X-Real-IP")
WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+")


class Origin(NamedTuple):
    """A request as its client made it; None for what the proxies do not tell."""

    address: str
    scheme: str | None
    host: str | None


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return addresses and networks (`10.0.0.7`, `10.0.0.0/8`, `fd00::/8`). Raises `ValueError` for anything else."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def within(address: str, trusted: Sequence[Network]) -> bool:
    """Say whether an address is in one of the networks; what is none is not."""
    found = _parsed(address)
    return found is not None and any(found in network for network in trusted)


def origin(peer: str, headers: Mapping[str, str], trusted: Sequence[Network]) -> Origin | None:
    """Return where a request came from; None when its peer is not trusted to tell.

    The address is the rightmost of `X-Forwarded-For` that is not trusted: everything left of it was written by a
    stranger. Scheme and host are what the proxy wrote that this address spoke to.
    """
    if not within(peer, trusted):
        return None
    hops, address = 1, peer
    for entry in reversed(_list(headers, "X-Forwarded-For")):
        found = _parsed(entry)
        if found is None:
            break  # "unknown", or rubbish: as far as can be told, the proxy before it asks
        address = str(found)
        if not within(address, trusted):
            break
        hops += 1
    scheme = _of_hop(_list(headers, "X-Forwarded-Proto"), hops).lower()
    host = _of_hop(_list(headers, "X-Forwarded-Host"), hops)
    return Origin(address, scheme if scheme in ("http", "https") else None, host or None)


def came_by_a_proxy(headers: Mapping[str, str]) -> bool:
    """Say whether a proxy has left its sign on a request."""
    return any(name in headers for name in SIGNS)


def _list(headers: Mapping[str, str], name: str) -> list[str]:
    # Repeated lines of one header are one list (RFC 9110 section 5.3).
    lines = headers.getall(name, []) if hasattr(headers, "getall") else [headers.get(name, "")]
    return [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]


def _of_hop(values: Sequence[str], hops: int) -> str:
    """Return what the outermost of so many proxies wrote: each adds on the right, or writes the only one."""
    return values[-min(hops, len(values))] if values else ""


def _parsed(text: str) -> Address | None:
    if found := WITH_PORT.fullmatch(text):
        text = found[1] if found[1] is not None else found[2]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
