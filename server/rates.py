"""How many requests a minute a token, or an address without one, may send; none are counted unless a setting says so.

Clients go by the headers: some slow down by themselves once they see `RateLimit-Limit`. So they are sent only where a
limit is in force, and say what holds for all processes of this server together.
"""

from __future__ import annotations

import time
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from server.counts import Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

WINDOW_SECONDS = 60.0


class Quota(NamedTuple):
    """What a caller has of his limit, this request counted."""

    name: str
    limit: int
    observed: int
    seconds_left: float

    @property
    def exceeded(self) -> bool:
        """Say whether this request is one too many."""
        return self.observed > self.limit

    def headers(self, now: float | None = None) -> dict[str, str]:
        """Return GitLab's headers; the time of the reset is in seconds since 1970."""
        now = time.time() if now is None else now
        told = {
            "RateLimit-Name": self.name,
            "RateLimit-Limit": self.limit,
            "RateLimit-Observed": self.observed,
            "RateLimit-Remaining": max(0, self.limit - self.observed),
            "RateLimit-Reset": ceil(now + self.seconds_left),
            **({"Retry-After": ceil(self.seconds_left)} if self.exceeded else {}),
        }
        return {name: str(value) for name, value in told.items()}


class Rates:
    """Counts the requests of tokens and of addresses, each against its limit; a limit of 0 is none."""

    def __init__(self, per_token: int, anonymous: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_token, self._anonymous = per_token, anonymous
        self._counts = Windows(WINDOW_SECONDS, clock=clock) if per_token or anonymous else None

    def of_token(self, key: Hashable) -> Quota | None:
        """Count a request of the token with that key; None when there is no limit."""
        return self._counted("throttle_authenticated_api", self._per_token, "token", key)

    def of_address(self, network: str) -> Quota | None:
        """Count a request without a good token from there; None when there is no limit."""
        return self._counted("throttle_unauthenticated_api", self._anonymous, "address", network)

    def close(self) -> None:
        """Let go of the memory."""
        if self._counts is not None:
            self._counts.close()

    def _counted(self, name: str, limit: int, kind: str, key: Hashable) -> Quota | None:
        if not limit or self._counts is None:
            return None
        return Quota(name, limit, *self._counts.add(f"{kind} {key!r}"))
