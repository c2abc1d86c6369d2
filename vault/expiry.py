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


def falls_within(rows: Iterable[Expiry], now: datetime, limit: timedelta) -> bool:
    """Say whether any file has expired or will within `limit`."""
    return any(moment(row.expires_at) - now <= limit for row in rows)
