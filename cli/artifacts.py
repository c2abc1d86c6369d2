"""`secure-files artifacts`: what job artifacts there are, what becomes of each, and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from cli import options as shared
from cli.main import say
from cli.tables import as_json, table

if TYPE_CHECKING:
    import argparse

    from vault.retention import Fate

EPILOG = """\
Removes nothing: a running server does that by itself, some seconds after an artifact's time is over. Each artifact is
one of these; totals go to stderr:

  locked    of the newest successful pipeline of its branch or tag; stays beyond its time, until a newer one succeeds
  kept      without an end: `keep` was asked for, or none was set; job logs
  expiring  stays until the time shown
  expired   its time is over and nothing locks it: goes with the next sweep

EXAMPLES
  secure-files artifacts --data ./data
  secure-files artifacts --data ./data --project team/app --fate kept
  secure-files artifacts --data ./data --format json | jq 'map(.size) | add'

EXIT STATUS
  0 told; 2 an option is wrong; 3 the keyring is missing; 5 there is no vault or no such project
"""
FATES = ("locked", "kept", "expiring", "expired")
MIB = 1024 * 1024


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("--project", metavar="PATH", help="only those of the project group/name")
    sub.add_argument("--fate", choices=FATES, help="only those that this becomes of")
    sub.add_argument("--format", choices=tuple(FORMATS), default="table", help="default table")
    shared.add_settings(sub)


def run(options: argparse.Namespace) -> int:
    """Print the report, and the totals to stderr."""
    from server.wiring import open_services
    from vault.errors import NotFound, Unavailable

    services = open_services(shared.load(options))
    try:
        if options.project is not None:
            services.projects.at(options.project)
        found = list(services.retention.report(options.project))
    except NotFound as error:
        raise Unavailable(f"there is no project {options.project}") from error
    finally:
        services.close()
    print(FORMATS[options.format]([fate for fate in found if options.fate in (None, fate.fate)]))
    for line in totals(found):
        say(line)
    return 0


def totals(found: list[Fate]) -> list[str]:
    """Return a line for each fate there is: how many artifacts, and how many bytes."""
    lines = []
    for word in FATES:
        sizes = [fate.size for fate in found if fate.fate == word]
        if sizes:
            lines.append(f"{word}: {len(sizes)} artifact{'s' if len(sizes) > 1 else ''}, {mebibytes(sum(sizes))} MiB")
    return lines


def mebibytes(size: int) -> str:
    """Return a number of bytes in MiB, with one place."""
    return f"{size / MIB:.1f}"


def _as_table(found: list[Fate]) -> str:
    if not found:
        return "there are no artifacts"
    head = ("PROJECT", "JOB", "NAME", "REF", "TYPE", "MIB", "FATE", "WHY")
    body = [
        (
            fate.project,
            str(fate.job_id),
            fate.job,
            fate.ref,
            fate.file_type,
            mebibytes(fate.size),
            fate.fate,
            fate.reason,
        )
        for fate in found
    ]
    return table(head, body, right=(1, 5))


def _as_json(found: list[Fate]) -> str:
    return as_json([asdict(fate) for fate in found])


FORMATS = {"table": _as_table, "json": _as_json}
