"""Guessing of tokens: an address that sends many wrong ones is told to wait.

A right token always passes: an address is often that of many people.
"""

from __future__ import annotations

import ipaddress
import time
from math import ceil
from typing import TYPE_CHECKING

from server.counts import KEYS, Windows

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG_PER_WINDOW = 60
WINDOW_SECONDS = 60.0


class Guesses:
    """Counts wrong tokens by address, for IPv6 by /64; forgets addresses that were quiet longest when full."""

    def __init__(
        self,
        limit: int = WRONG_PER_WINDOW,
        seconds: float = WINDOW_SECONDS,
        addresses: int = KEYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._counts = Windows(seconds, addresses, clock)

    def wrong(self, address: str) -> int:
        """Note a wrong token; return the seconds to wait before the next, 0 while there may be more."""
        count, left = self._counts.add(network(address))
        return ceil(left) if count > self._limit else 0

    def close(self) -> None:
        """Let go of the memory."""
        self._counts.close()


def network(address: str) -> str:
    """Return what one guesser has for himself: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, 64), strict=False))
