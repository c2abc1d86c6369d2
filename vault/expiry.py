"""What expires and when: one row a file, the same shape wherever a report comes from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from vault import clock

if TYPE_CHECKING:
    from collections.abc import Iterable

SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Expiry:
    """One file that expires. `days_left` counts whole days, below zero once it has; `status` is one word."""

    project_id: int
    project: str
    id: int
    name: str
    kind: str | None
    expires_at: str
    days_left: int
    status: str


def moment(text: str) -> datetime:
    """Read a catalog time."""
    return datetime.fromisoformat(text)


def horizon(now: datetime, within: timedelta | None) -> str | None:
    """Return the catalog time up to which files are asked for; None for all."""
    if within is None:
        return None
    latest = datetime.max.replace(tzinfo=UTC)
    return clock.stamp(now + within if within < latest - now else latest)


def report(rows: Iterable[dict[str, Any]], now: datetime) -> list[Expiry]:
    """Return the rows of `SecureFiles.expiring` with days left and status: `expired`, `expiring` (30 days), `valid`."""
    return [_row(row, now) for row in rows]


def _row(row: dict[str, Any], now: datetime) -> Expiry:
    left = moment(row["expires_at"]) - now
    status = "expired" if left <= timedelta(0) else "expiring" if left <= SOON else "valid"
    return Expiry(
        project_id=row["project_id"],
        project=row["project"],
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        expires_at=row["expires_at"],
        days_left=left.days,
        status=status,
    )


def in_words(row: Expiry) -> str:
    """Return how long a file is still good, or has not been, as a person would say it."""
    days = row.days_left
    if row.status == "expired":
        # Whole days are counted down: what expired an hour ago has -1 of them.
        past = -days - 1
        return "expired today" if past == 0 else f"expired {_spoken(past)} ago"
    return "expires today" if days == 0 else f"in {_spoken(days)}"


def _spoken(days: int) -> str:
    for unit, size, least in (("year", 365, 730), ("month", 30, 90)):
        if days >= least:
            return f"{days // size} {unit}s"
    return f"{days} day{'' if days == 1 else 's'}"


def falls_within(rows: Iterable[Expiry], now: datetime, limit: timedelta) -> bool:
    """Say whether any file has expired or will within `limit`."""
    return any(moment(row.expires_at) - now <= limit for row in rows)
