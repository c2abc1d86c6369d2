"""Wall-clock time as the catalog and the API write it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

SET_BACK_SECONDS = 300.0
DAY = 86400
# The second that was written last, and its text; and the latest moment that `latest` has seen. One value each, so that
# threads cannot mix them.
_written: tuple[int, str] = (-1, "")
_seen = 0.0
# The day that was asked for last: when it began, and its date.
_today: tuple[float, str] = (0.0, "1970-01-01")


def now() -> str:
    """Return the present as `2026-02-22T22:22:22.222Z`: UTC, always milliseconds."""
    return _text(time.time())


def _text(seconds: float) -> str:
    global _written  # noqa: PLW0603 - a log line is written thousands of times within one second
    whole, thousandth = divmod(int(seconds * 1000), 1000)
    second, text = _written
    if second != whole:
        text = datetime.fromtimestamp(whole, UTC).replace(tzinfo=None).isoformat() + "."
        _written = (whole, text)
    return f"{text}{thousandth:03}Z"


def latest() -> str:
    """Return the present for what ends with time: a clock that is set back by up to five minutes ends nothing later.

    What this process has seen expired stays so. A clock set back by more was wrong before, and is believed now.
    """
    return _text(_latest())


def _latest() -> float:
    global _seen  # noqa: PLW0603
    present = time.time()
    if not present < _seen <= present + SET_BACK_SECONDS:
        _seen = present
    return _seen


def stamp(moment: datetime) -> str:
    """Write an aware moment in the catalog's form; such texts order as the moments do."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def in_days(days: float) -> str:
    """Return the moment so many days from now, in the catalog's form."""
    return stamp(datetime.now(UTC) + timedelta(days=days))


def today() -> str:
    """Return the date in UTC, `2026-02-22`: tokens expire by date."""
    global _today  # noqa: PLW0603 - each request asks several times
    day, text = _today
    present = _latest()
    if not day <= present < day + DAY:
        text = _text(present)[:10]
        _today = (present // DAY * DAY, text)
    return text
