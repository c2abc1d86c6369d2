"""Verifying a vault: a list of checks, each of which looks at one kind of thing, one after the other.

It works beside a running server as well as without one. What is deleted while it is looked at is no finding.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from vault import clock
from vault.errors import Damaged, Unavailable
from vault.maintenance.findings import Finding, Looked, Report, Tally, Weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Pace:
    """Keeps reading down to so many bytes a second; 0 is as quick as it goes."""

    def __init__(self, bytes_per_second: float = 0.0) -> None:
        self._seconds_each = 1 / bytes_per_second if bytes_per_second else 0.0
        self._next = 0.0

    def took(self, size: int) -> None:
        """Wait until so many bytes may have been read."""
        if self._seconds_each:
            now = time.monotonic()
            self._next = max(self._next, now) + size * self._seconds_each
            time.sleep(max(0.0, self._next - now))


@dataclass(frozen=True, slots=True)
class Scope:
    """How much to look at: a share of all (0 to 1, drawn anew each time), and only files stored since a moment."""

    share: float = 1.0
    since: str | None = None
    pace: Pace = field(default_factory=Pace)

    @property
    def whole(self) -> bool:
        """Say whether everything is looked at."""
        return self.share >= 1.0 and self.since is None

    def draws(self) -> bool:
        """Say of one thing whether it is looked at."""
        return self.share >= 1.0 or random.random() < self.share  # noqa: S311 - a sample is no secret


class Check(Protocol):
    """Looks at one kind of thing. Raises `Unavailable` when it cannot go on, `Damaged` when damage keeps it from it."""

    name: str

    def total(self, scope: Scope) -> int:
        """Return about how many things there are to look at."""

    def look(self, scope: Scope) -> Iterator[Looked]:
        """Look at one after the other."""


class Observer(Protocol):
    """Is told how far it has come."""

    def begin(self, check: str, total: int) -> None:
        """A check begins."""

    def step(self, name: str) -> None:
        """One thing was looked at."""


class Verification:
    """The checks of one vault, in the order in which they are made."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = tuple(checks)

    def run(self, scope: Scope | None = None, observer: Observer | None = None) -> Report:
        """Make all checks and return what they found; damage in one thing keeps none of the others from being seen."""
        scope, started = scope or Scope(), clock.now()
        tallies = tuple(_made(check, scope, observer) for check in self.checks)
        return Report(started, clock.now(), not scope.whole, tallies)


def _made(check: Check, scope: Scope, observer: Observer | None) -> Tally:
    tally = Tally(check.name)
    try:
        if observer is not None:
            observer.begin(check.name, check.total(scope))
        for looked in check.look(scope):
            tally.add(looked)
            if observer is not None:
                observer.step(looked.subject)
    except Damaged as error:
        tally.findings.append(Finding(Weight.DAMAGE, check.name, f"{error}; this check ended there"))
    except Unavailable as error:
        tally.findings.append(Finding(Weight.UNCHECKED, check.name, f"{error}; this check ended there"))
    return tally


def looked_twice(look: Callable[[], Looked | None]) -> Looked | None:
    """Look again where something is wrong: what a neighbour was changing meanwhile is well the second time.

    None: the thing has gone.
    """
    first = look()
    return first if first is None or not first.findings else look()
