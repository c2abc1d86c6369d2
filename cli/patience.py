"""How long a command tries again what may pass: a server that starts, a limit on requests, a broken line."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PASSING = frozenset({429, 500, 502, 503, 504})
"""Answers that may be another the next time."""


@dataclass(frozen=True)
class Patience:
    """Up to `tries` tries; the wait doubles from `first` seconds on and is never longer than `longest`.

    Each wait is drawn at random below its bound, so that the jobs of one pipeline do not come back all at once.
    """

    tries: int = 1
    first: float = 0.5
    longest: float = 60.0
    sleep: Callable[[float], object] = time.sleep
    tell: Callable[[str], object] = lambda _: None
    draw: Callable[[float, float], float] = random.uniform

    def ended(self, tried: int) -> bool:
        """Say whether that many tries were all."""
        return tried >= self.tries

    def wait(self, tried: int, why: str, retry_after: str | None = None) -> None:
        """Wait before the next try: as long as the server asked, up to `longest`, else as long as is drawn."""
        asked = seconds(retry_after, datetime.now(UTC))
        bound = min(self.longest, self.first * 2 ** (tried - 1))
        pause = self.draw(bound / 2, bound) if asked is None else min(asked, self.longest)
        self.tell(f"{why}; trying again in {pause:.1f} s")
        self.sleep(pause)


ONCE = Patience()


def seconds(retry_after: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, a number or a date (RFC 9110 section 10.2.3)."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # what "-0000" means, which is UTC here
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
