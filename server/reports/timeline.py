"""The coming year as a picture: how many files expire in each week, the same for five files and for five thousand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from server.reports.templating import MONTHS, day
from vault.expiry import SOON, moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vault.expiry import Expiry

WEEKS = 53
WEEK = timedelta(weeks=1)
NAMED = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """The files of one week: where it stands (0 to 52), how high of 100, its status and what to say of it."""

    week: int
    height: float
    status: str
    count: int
    label: str


@dataclass(frozen=True, slots=True)
class Month:
    """The first day of a month on the axis, in weeks from today."""

    week: float
    name: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the picture shows, and the same in one sentence for who cannot see it."""

    bars: tuple[Bar, ...]
    months: tuple[Month, ...]
    summary: str


def timeline(rows: Iterable[Expiry], now: datetime) -> Timeline:
    """Return the picture of what expires within a year; what has expired is in the summary alone."""
    weeks: dict[int, list[Expiry]] = {}
    expired = 0
    for row in rows:
        left = moment(row.expires_at) - now
        if left <= timedelta(0):
            expired += 1
        elif left < WEEKS * WEEK:
            weeks.setdefault(left // WEEK, []).append(row)
    most = max((len(found) for found in weeks.values()), default=1)
    bars = tuple(_bar(week, weeks[week], most) for week in sorted(weeks))
    return Timeline(bars, tuple(_months(now)), _summary(expired, sum(bar.count for bar in bars), bars, now))


def _bar(week: int, rows: list[Expiry], most: int) -> Bar:
    names = [f"{day(row.expires_at)}  {row.name}  ({row.project})" for row in rows[:NAMED]]
    more = [f"and {len(rows) - NAMED} more"] if len(rows) > NAMED else []
    status = "expiring" if week * WEEK < SOON else "valid"
    # A single file among hundreds is still to be seen.
    height = max(6.0, round(100 * len(rows) / most, 1))
    return Bar(week, height, status, len(rows), "\n".join([*names, *more]))


def _months(now: datetime) -> Iterable[Month]:
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(13):
        first = (first + timedelta(days=32)).replace(day=1)
        week = (first - now) / WEEK
        if week < WEEKS - 2:  # there is no room for its name after that
            yield Month(round(week, 3), MONTHS[first.month - 1])


def _summary(expired: int, coming: int, bars: tuple[Bar, ...], now: datetime) -> str:
    if not bars:
        told = "Nothing expires in the coming year"
    else:
        first = (now + bars[0].week * WEEK).date()
        verb = "expires" if coming == 1 else "expire"
        told = f"{_files(coming)} {verb} in the coming year, the first in the week of {day(str(first))}"
    return f"{told}; {_files(expired)} {'has' if expired == 1 else 'have'} expired." if expired else f"{told}."


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
