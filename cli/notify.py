"""`secure-files notify`: tell people before files expire, where they already look."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import options as shared
from cli.main import say
from cli.tables import as_json, table

if TYPE_CHECKING:
    import argparse

    from server.notify.recipients import Recipient
    from server.wiring import Services
    from vault.notices import Notice

EPILOG = """\
Who is told is in a TOML file, that of the setting `recipients`: see docs/notices.md. Each file is told of at 60, 30,
14, 7 and 1 days ahead of its expiry, or at the `days` of a recipient; each notice once, however often this runs and
whatever else runs beside it. A server that is given the file tells by itself; this is for a timer, and for trying.

EXAMPLES
  secure-files notify --data ./data --recipients recipients.toml --dry-run
  secure-files notify --data ./data --recipients recipients.toml
  secure-files notify --data ./data --recipients recipients.toml --test
  secure-files notify --data ./data --status

EXIT STATUS
  0  everybody was told, or there is nothing to tell
  1  somebody could not be told; it is tried again at the next run, after a pause
  2 an option or the file of recipients is wrong; 3 the keyring is missing; 5 there is no vault
"""


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    which = sub.add_mutually_exclusive_group()
    which.add_argument("--dry-run", action="store_true", help="show what would be told, and tell nobody")
    which.add_argument("--test", action="store_true", help="send each recipient one made-up notice, and note nothing")
    which.add_argument("--status", action="store_true", help="show what could not be told yet, and why")
    sub.add_argument("--format", choices=("table", "json"), default="table", help="default table")
    shared.add_settings(sub, (*shared.WORKING, "recipients"))


def run(options: argparse.Namespace) -> int:
    """Tell, or show; 1 when somebody could not be told."""
    from server.notify.recipients import read
    from server.wiring import open_services
    from vault.errors import Invalid

    settings = shared.load(options)
    if not settings.recipients and not options.status:
        raise Invalid(
            "recipients", "is missing: --recipients names the TOML file that says who is told; see docs/notices.md"
        )
    recipients = [] if options.status else read(Path(settings.recipients))
    if options.test:
        return _test(recipients)
    services = open_services(settings)
    try:
        if options.status:
            return _show(options, services.notices.pending(), "nothing waits to be told")
        return _dry_run(options, recipients, services) if options.dry_run else _tell(options, recipients, services)
    finally:
        services.close()


def _dry_run(options: argparse.Namespace, recipients: list[Recipient], services: Services) -> int:
    from server.notify.notifier import Notifier

    due = Notifier(recipients, services.secure_files, services.notices).due()
    return _show(options, [_row(notice, "due") for notice in due], "nothing is due")


def _tell(options: argparse.Namespace, recipients: list[Recipient], services: Services) -> int:
    from server.notify.notifier import Notifier

    told = Notifier(recipients, services.secure_files, services.notices).run()
    rows = [_row(each.notice, "failed" if each.problem else "told", each.problem or None) for each in told]
    _show(options, rows, "nothing is due")
    return int(any(each.problem for each in told))


def _test(recipients: list[Recipient]) -> int:
    from server.notify.http import NotDelivered
    from server.notify.notifier import CHANNELS, sample

    problems = 0
    for recipient in recipients:
        try:
            CHANNELS[recipient.kind](recipient.options).deliver([sample(recipient.name)], None)
            say(f"{recipient.name}: told")
        except NotDelivered as error:
            problems += 1
            say(f"{recipient.name}: {error}")
    return int(problems > 0)


def _row(notice: Notice, state: str, error: str | None = None) -> dict[str, Any]:
    file = asdict(notice.file)
    return {"recipient": notice.recipient, **file, "days": notice.days, "state": state, "error": error}


def _show(options: argparse.Namespace, rows: list[dict[str, Any]], nothing: str) -> int:
    if options.format == "json":
        print(as_json(rows))
    elif not rows:
        print(nothing)
    else:
        print(_as_table(rows))
    return 0


def _as_table(rows: list[dict[str, Any]]) -> str:
    head = ("RECIPIENT", "PROJECT", "NAME", "EXPIRES", "AHEAD", "STATE", "WHY")
    keys = ("recipient", "project", "name", "expires_at", "days", "state", "error")
    body = [["" if row[key] is None else str(row[key]) for key in keys] for row in rows]
    for cells in body:
        cells[3] = cells[3][:10]
    return table(head, body, right=(4,))
