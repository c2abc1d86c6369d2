"""`secure-files expiry-report`: what expires, soonest first, across all projects."""

from __future__ import annotations

import argparse
import csv
import io
import re
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cli import options as shared
from cli.main import say
from cli.tables import as_json, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.remote import Remote
    from server.settings import Settings
    from vault.expiry import Expiry

EPILOG = """\
Reads the vault in --data, or over HTTP the one at --url; there the token comes from SECURE_FILES_TOKEN (or the
variable that --token-env names). In a CI job that is told CI_API_V4_URL and CI_JOB_TOKEN nothing need be given: the
report is of the job's project.

Durations are a number and d, w or h: 30d, 4w, 12h. Files that hold no date of expiry are not listed; those that
could not be read are counted on stderr.

EXAMPLES
  secure-files expiry-report --data ./data
  secure-files expiry-report --data ./data --within 60d --format json
  secure-files expiry-report --url https://vault.example.com --format csv > expiry.csv
  secure-files expiry-report --data ./data --format html > expiry.html
  secure-files expiry-report --data ./data --format prometheus > /var/lib/node_exporter/secure_files.prom
  secure-files expiry-report --data ./data --fail-within 7d || notify-the-team

EXIT STATUS
  0  nothing has expired or will within --fail-within (or it was not given)
  1  something has, or will
  2 an option is wrong; 3 the keyring is missing; 5 there is no vault, or it refuses
"""

DURATION = re.compile(r"(\d{1,6})\s*([dwh]?)")
UNITS = {"d": timedelta(days=1), "w": timedelta(weeks=1), "h": timedelta(hours=1), "": timedelta(days=1)}


def duration(text: str) -> timedelta:
    """Read `30d`, `4w`, `12h`; a bare number is days."""
    found = DURATION.fullmatch(text.strip().lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 30d, 4w or 12h")
    return int(found[1]) * UNITS[found[2]]


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("--within", type=duration, metavar="30d", help="only what has expired or will in this time")
    sub.add_argument("--fail-within", type=duration, metavar="7d", help="exit 1 when something expires in this time")
    told = f"one of {', '.join(FORMATS)} (default table)"
    sub.add_argument("--format", choices=tuple(FORMATS), default="table", metavar="FORM", help=told)
    shared.add_source(sub)


def run(options: argparse.Namespace) -> int:
    """Print the report; 1 when something falls inside `--fail-within`."""
    from vault import expiry

    now = datetime.now(UTC)
    wanted = options.within
    if wanted is not None and options.fail_within is not None:
        wanted = max(wanted, options.fail_within)
    found, unread = _gather(options, expiry.horizon(now, wanted), now)
    shown = found
    if options.within is not None:
        shown = [row for row in found if expiry.falls_within([row], now, options.within)]
    print(FORMATS[options.format](shown, now, _origin(options)))
    if unread:
        files = f"{unread} file{'s' if unread > 1 else ''}"
        say(f"{files} could not be read and may expire unnoticed; `secure-files doctor` says why")
    if options.fail_within is not None and expiry.falls_within(found, now, options.fail_within):
        return 1
    return 0


def _gather(options: argparse.Namespace, before: str | None, now: datetime) -> tuple[list[Expiry], int]:
    """Return the rows up to `before` and how many files could not be read, from wherever the options point."""
    from cli.remote import Remote

    vault = shared.source(options)
    return _over_http(vault, before, now) if isinstance(vault, Remote) else _local(vault, before, now)


def _over_http(vault: Remote, before: str | None, now: datetime) -> tuple[list[Expiry], int]:
    from vault import expiry

    files = list(vault.pages("/secure_files?per_page=100"))
    dated = [row for row in files if row["expires_at"] is not None and (before is None or row["expires_at"] <= before)]
    return expiry.report(dated, now), sum(row["metadata_error"] is not None for row in files)


def _local(settings: Settings, before: str | None, now: datetime) -> tuple[list[Expiry], int]:
    from server.wiring import open_services
    from vault import expiry

    services = open_services(settings)
    try:
        files = services.secure_files
        return expiry.report(files.expiring(before), now), files.unreadable()
    finally:
        services.close()


def _origin(options: argparse.Namespace) -> str:
    """Return what tells this vault from others: its address, or its folder."""
    from cli.remote import Remote

    vault = shared.source(options)
    return vault.api if isinstance(vault, Remote) else vault.data.absolute().as_uri()


def _as_json(rows: list[Expiry], *_: object) -> str:
    return as_json([asdict(row) for row in rows])


def _as_table(rows: list[Expiry], *_: object) -> str:
    if not rows:
        return "nothing expires in this time"
    head = ("PROJECT", "NAME", "KIND", "EXPIRES", "DAYS", "STATUS")
    body = [
        (row.project, row.name, row.kind or "", row.expires_at[:10], str(row.days_left), row.status) for row in rows
    ]
    return table(head, body, right=(4,))


def _as_csv(rows: list[Expiry], *_: object) -> str:
    """Return RFC 4180 text with a head line; cells that a spreadsheet would take for a formula are disarmed."""
    from vault.expiry import Expiry

    output = io.StringIO()
    names = [field.name for field in fields(Expiry)]
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_disarmed(getattr(row, name)) for name in names])
    return output.getvalue().rstrip("\n")


def _disarmed(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _as_calendar(rows: list[Expiry], now: datetime, origin: str) -> str:
    from server.reports.calendar import calendar

    return calendar(rows, origin, now)


def _as_markdown(rows: list[Expiry], *_: object) -> str:
    from server.reports.markdown import markdown

    return markdown(rows)


def _as_page(rows: list[Expiry], now: datetime, _: str) -> str:
    from server.reports.page import page

    return page(rows, now)


def _as_metrics(rows: list[Expiry], *_: object) -> str:
    from server.reports.exposition import exposition

    return exposition(rows)


FORMATS: dict[str, Callable[[list[Expiry], datetime, str], str]] = {
    "table": _as_table,
    "json": _as_json,
    "csv": _as_csv,
    "markdown": _as_markdown,
    "html": _as_page,
    "ics": _as_calendar,
    "prometheus": _as_metrics,
}
