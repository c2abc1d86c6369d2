"""Wall-clock time as the catalog and the API write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def now() -> str:
    """Return the present as `2026-02-22T22:22:22.222Z`: UTC, always milliseconds."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """Write an aware moment in the catalog's form; such texts order as the moments do."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def in_days(days: float) -> str:
    """Return the moment so many days from now, in the catalog's form."""
    return stamp(datetime.now(UTC) + timedelta(days=days))


def today() -> str:
    """Return the date in UTC, `2026-02-22`: tokens expire by date."""
    return datetime.now(UTC).strftime("%Y-%m-%d")
