"""`secure-files verify`: look at all that is stored, and say what is damaged."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli import options as shared
from cli.main import say
from cli.ownership import require_owner
from cli.tables import as_json, printable, table
from vault import errors

if TYPE_CHECKING:
    from cli.main import ExitCodes
    from vault.maintenance.findings import Report, Tally

EPILOG = """\
Opens every sealed file and compares its SHA-256; looks whether each object has its row and each row its object, at the
keyring, the catalog and, by git fsck, every repository. Beside a running server or without one; it changes nothing but
marks: what is damaged is marked in the catalog, still served as far as it opens, and unmarked when it is found whole.

A daily `--sample 5%` and a weekly look at all is good practice. Rates are bytes a second: 50M, 800K.

EXAMPLES
  secure-files verify --data ./data
  secure-files verify --data ./data --sample 5% --rate 50M
  secure-files verify --data ./data --since 7d --format json

EXIT STATUS
  0 all is well; 1 something is damaged; 2 an option is wrong, or something could not be looked at: there is no vault,
  it belongs to another user, the catalog, the store or git does not answer; 3 the keyring is missing
"""
EXIT_CODES: ExitCodes = (
    (errors.UnknownKey, 3),
    (errors.BadKeyring, 3),
    (errors.VaultError, 2),
    (OSError, 2),
)
RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)", re.IGNORECASE)
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def share(text: str) -> float:
    """Read `5%` as 0.05."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if found is None or not 0 < float(found[1]) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share such as 5%")
    return float(found[1]) / 100


def rate(text: str) -> float:
    """Read `50M` as bytes a second."""
    found = RATE.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 50M or 800K (bytes a second)")
    return float(found[1]) * UNITS[found[2].upper()]


def moment(text: str) -> str:
    """Read a date, or how long ago, as the catalog writes times."""
    from vault import clock, durations

    try:
        return clock.stamp(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError:
        pass
    try:
        ago = durations.duration(text)
        if ago is not None:
            return clock.stamp(datetime.now(UTC) - ago)
    except (errors.Invalid, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2027-01-31 or a time such as 7d")


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("--sample", type=share, default=1.0, metavar="SHARE", help="only so many of all, such as 5%%")
    sub.add_argument("--since", type=moment, metavar="7d", help="only files stored since then: a time or a date")
    sub.add_argument("--rate", type=rate, default=0.0, metavar="50M", help="read so many bytes a second at most")
    sub.add_argument("--format", choices=("text", "json"), default="text", help="default text")
    shared.add_settings(sub)


def run(options: argparse.Namespace) -> int:
    """Verify, and print what was found."""
    from cli.progress import Progress
    from server.wiring import open_services
    from vault.maintenance.verifying import Pace, Scope

    settings = shared.load(options)
    require_owner(settings.data)
    services = open_services(settings)
    try:
        with Progress("verifying") as progress:
            report = services.verification.run(Scope(options.sample, options.since, Pace(options.rate)), progress)
    finally:
        services.close()
    print(as_json(report.as_dict()) if options.format == "json" else as_text(report))
    return status_of(report)


def status_of(report: Report) -> int:
    """Return the exit status that a report stands for, and say what it means."""
    from vault.maintenance.findings import Weight

    damaged, unchecked = (len(report.findings(weight)) for weight in (Weight.DAMAGE, Weight.UNCHECKED))
    if damaged:
        say(f"{damaged} damaged; restore what is named from a backup, or have it stored anew")
        return 1
    if unchecked:
        say(f"{unchecked} could not be looked at")
        return 2
    return 0


def as_text(report: Report) -> str:
    """Return the checks as a table, and a line for each finding."""
    head = ("CHECK", "LOOKED AT", "MIB", "DAMAGED", "UNCHECKED")
    lines = [table(head, [_row(tally) for tally in report.tallies], right=(1, 2, 3, 4))]
    lines += [f"{finding.weight}: {printable(str(finding))}" for finding in report.findings()]
    return "\n".join(lines)


def _row(tally: Tally) -> tuple[str, ...]:
    from vault.maintenance.findings import Weight

    counts = (str(tally.count(weight)) for weight in (Weight.DAMAGE, Weight.UNCHECKED))
    return tally.check, str(tally.looked_at), f"{tally.size / (1 << 20):.1f}", *counts
