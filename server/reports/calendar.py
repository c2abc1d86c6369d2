"""The report as a calendar, RFC 5545: one whole-day event for each file, with reminders ahead of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from icalendar import Alarm, Calendar, Event

from vault.expiry import moment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vault.expiry import Expiry

CONTENT_TYPE = "text/calendar"
REMIND_DAYS = (30, 7, 1)
ASK_AGAIN = timedelta(hours=12)


def calendar(rows: Iterable[Expiry], origin: str, now: datetime) -> str:
    """Return the calendar's text.

    An event's UID follows from `origin` (the vault's address, or its folder) and the file's id: a file whose content is
    replaced moves in the subscriber's calendar, and is not there twice.
    """
    found = Calendar()
    found.add("prodid", "-//Secure Files Vault//Expiry//EN")
    found.add("version", "2.0")
    found.add("method", "PUBLISH")
    found.add("name", "Signing files that expire")
    found.add("x-wr-calname", "Signing files that expire")
    found.add("refresh-interval", ASK_AGAIN)
    found.add("x-published-ttl", "PT12H")
    for row in rows:
        found.add_component(_event(row, origin, now))
    return bytes(found.to_ical()).decode().rstrip("\r\n")


def _event(row: Expiry, origin: str, now: datetime) -> Event:
    expires = moment(row.expires_at)
    event = Event()
    event.add("uid", str(uuid5(NAMESPACE_URL, f"{origin}/projects/{row.project_id}/secure_files/{row.id}")))
    event.add("dtstamp", now.replace(microsecond=0))
    event.add("dtstart", expires.date())
    # A day is left out of an event's end: the last day that a calendar knows has none after it.
    if expires.date().year < 9999:
        event.add("dtend", expires.date() + timedelta(days=1))
    summary = f"{row.name} of {row.project} expires"
    event.add("summary", summary)
    event.add("description", f"{row.kind or 'file'} {row.name} in {row.project} expires at {row.expires_at}")
    event.add("categories", [row.status])
    event.add("transp", "TRANSPARENT")
    if row.status != "expired":
        for days in REMIND_DAYS:
            event.add_component(_alarm(days, summary))
    return event


def _alarm(days: int, text: str) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", text)
    alarm.add("trigger", timedelta(days=-days))
    return alarm
