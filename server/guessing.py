"""Guessing of tokens: an address that sends many wrong ones is told to wait.

A right token always passes: an address is often that of many people.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG_PER_WINDOW = 60
WINDOW_SECONDS = 60.0
ADDRESSES = 100_000


class Guesses:
    """Counts wrong tokens by address, for IPv6 by /64; forgets the address that was quiet longest when full."""

    def __init__(
        self,
        limit: int = WRONG_PER_WINDOW,
        seconds: float = WINDOW_SECONDS,
        addresses: int = ADDRESSES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._addresses = addresses
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wrong(self, address: str) -> int:
        """Note a wrong token; return the seconds to wait before the next, 0 while there may be more."""
        key, now = network(address), self._clock()
        start, count = self._counts.pop(key, (now, 0))
        if now - start >= self._seconds:
            start, count = now, 0
        self._counts[key] = (start, count + 1)
        if len(self._counts) > self._addresses:
            self._counts.popitem(last=False)
        return ceil(start + self._seconds - now) if count >= self._limit else 0


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
