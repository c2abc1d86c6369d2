"""`secure-files doctor`: what is wrong with the signing files of a project as one set."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cli import options as shared
from cli.tables import as_json, table

if TYPE_CHECKING:
    import argparse

    from cli.remote import Remote
    from server.settings import Settings
    from server.wiring import Services

    Row = dict[str, Any]

EPILOG = """\
Looks for files that have expired or soon will, profiles whose certificates are missing or have expired, certificates
without their private key, keys that lie in several files, debug keystores beside release keys, and files that could
not be read. It goes by what was read when the files came: none is opened, and no password is asked for.

Reads the vault in --data, or over HTTP the one at --url; there the token comes from SECURE_FILES_TOKEN (or the
variable that --token-env names). In a CI job that is told CI_API_V4_URL and CI_JOB_TOKEN nothing need be given: it
looks at the job's project.

EXAMPLES
  secure-files doctor --data ./data
  secure-files doctor --data ./data --project team/app --format json
  secure-files doctor --url https://vault.example.com --project team/app || notify-the-team

EXIT STATUS
  0  nothing is wrong, or nothing that keeps anybody from signing
  1  there is a finding of the severity "error"
  2 an option is wrong; 3 the keyring is missing; 5 there is no vault or no such project, or it refuses
"""


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("--project", metavar="PROJECT", help="path or number of the one project to look at (default all)")
    sub.add_argument("--format", choices=("table", "json"), default="table", help="default table")
    shared.add_source(sub)


def run(options: argparse.Namespace) -> int:
    """Print the findings; 1 when one of them is an error."""
    from vault.doctor import ERROR, SEVERITIES

    rows = sorted(_gather(options), key=lambda row: (SEVERITIES.index(row["severity"]), row["expires_at"] or "9999"))
    print(as_json(rows) if options.format == "json" else _as_table(rows))
    return 1 if any(row["severity"] == ERROR for row in rows) else 0


def _gather(options: argparse.Namespace) -> list[Row]:
    """Return the findings with their projects, from wherever the options point."""
    from cli.remote import Remote

    vault = shared.source(options)
    return _over_http(vault, options.project) if isinstance(vault, Remote) else _local(vault, options.project)


def _over_http(vault: Remote, wanted: str | None) -> list[Row]:
    if wanted is not None:
        places = [(quote(wanted, safe=""), wanted)]
    else:
        files = vault.pages("/secure_files?per_page=100")
        places = sorted({(str(file["project_id"]), file["project"]) for file in files}, key=lambda place: place[1])
    return [
        {"project": path, **finding}
        for number, path in places
        for finding in vault.pages(f"/projects/{number}/secure_files/health")
    ]


def _local(settings: Settings, wanted: str | None) -> list[Row]:
    from server.wiring import open_services

    services = open_services(settings)
    try:
        places = services.secure_files.projects() if wanted is None else [_project(services, wanted)]
        return [
            {"project": path, **asdict(finding)}
            for number, path in places
            for finding in services.secure_files.examine(number)
        ]
    finally:
        services.close()


def _project(services: Services, wanted: str) -> tuple[int, str]:
    from vault.access import parse_id
    from vault.errors import NotFound, Unavailable

    number = parse_id(wanted)
    try:
        found = services.projects.at(wanted) if number is None else services.projects.get(number)
    except NotFound:
        raise Unavailable(f"there is no project {wanted!r}") from None
    return found.id, found.full_path


def _as_table(rows: list[Row]) -> str:
    if not rows:
        return "nothing is wrong with these files"
    body = [
        (
            row["severity"],
            row["project"],
            ", ".join(file["name"] for file in row["files"]),
            f"{row['what']} {row['what_to_do']}",
        )
        for row in rows
    ]
    return table(("SEVERITY", "PROJECT", "FILES", "FINDING"), body)
