"""`secure-files audit`: checks the audit log and names the first bad line, or shows its lines."""

from __future__ import annotations

import argparse
import re
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cli import options as shared
from cli.tables import as_json, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from server.wiring import Services
    from vault.audit.lines import Line
    from vault.audit.verify import ChainReport, Report

EPILOG = """\
verify reads every line of the audit folder, or of the FOLDERs given, in which then every chain has to be. It names the
first line of each chain that was edited or made up, lines that are gone or out of their order, and an end that was cut:
the catalog knows how far each chain was a second ago. A torn last line is what a crash leaves, and no fault. It works
beside a running server.

show prints the last lines, oldest first.

EXAMPLES
  secure-files audit verify --data ./data
  secure-files audit verify --head 0a1b2c3d4e5f6071:1000:9c1f...
  secure-files audit show --project 3 --last 20

EXIT STATUS
  0 all lines are what was written; 1 one is not; 2 an option is wrong; 3 the keyring is missing; 5 no such vault
"""
HEAD = re.compile(r"([0-9a-f]{16}):([0-9]{1,18}):([0-9a-f]{64})")
COLUMNS = ("CHAIN", "HOST", "FILES", "LINES", "FROM", "TO", "STATE")


def head(text: str) -> tuple[str, tuple[int, str]]:
    """Read a head as the server's log tells it, `chain:number:hash`."""
    found = HEAD.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not CHAIN:NUMBER:HASH")
    return found[1], (int(found[2]), found[3])


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("action", choices=("verify", "show"), help="what to do")
    sub.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="where the logs of all hosts were brought")
    sub.add_argument(
        "--head", action="append", type=head, default=[], metavar="HEAD", help="chain:number:hash that was kept outside"
    )
    sub.add_argument("--project", type=int, metavar="ID", help="show only what is about this project, by its number")
    sub.add_argument("--actor", metavar="NAME", help="show only what this user did")
    sub.add_argument("--last", type=int, default=100, metavar="N", help="show so many lines (default 100)")
    sub.add_argument("--format", choices=("table", "json"), default="table", help="default table")
    shared.add_settings(sub)


def run(options: argparse.Namespace) -> int:
    """Check, or show."""
    from server.wiring import open_services

    services = open_services(shared.load(options))
    try:
        if options.action == "show":
            return _show(options, services)
        return _verify(options, services)
    finally:
        services.close()


def _verify(options: argparse.Namespace, services: Services) -> int:
    report = services.audit.verify(options.folders, dict(options.head))
    print(_as_json(report) if options.format == "json" else _as_table(report))
    return 0 if report.ok else 1


def _as_json(report: Report) -> str:
    return as_json({"ok": report.ok, "lines": report.lines, "chains": [asdict(chain) for chain in report.chains]})


def _as_table(report: Report) -> str:
    rows = [_row(chain) for chain in report.chains]
    lines = [table(COLUMNS, rows, right=(2, 3, 4, 5))] if rows else ["there is no line yet"]
    for fault in report.faults:
        place = f"{fault.file}:{fault.line}" if fault.file else f"chain {fault.chain}"
        lines.append(f"{place}: line {fault.seq}: {fault.kind}: {fault.why}")
    return "\n".join(lines)


def _row(chain: ChainReport) -> list[str]:
    state = chain.fault.kind if chain.fault else "elsewhere" if chain.elsewhere else "good"
    torn = f", {len(chain.torn)} torn by a crash" if chain.torn else ""
    begin = "" if chain.first_seq is None else str(chain.first_seq)
    return [
        chain.chain, chain.host or "", str(chain.files), str(chain.lines), begin, str(chain.last_seq), state + torn
    ]  # fmt: skip


def _show(options: argparse.Namespace, services: Services) -> int:
    chosen = sorted(_chosen(options, services), key=lambda line: (line.entry.time, line.seq))
    lines = deque(chosen, maxlen=max(options.last, 0))
    if options.format == "json":
        print(as_json([{"seq": line.seq, **line.entry._asdict()} for line in lines]))
    else:
        rows = [[str(cell if cell is not None else "") for cell in _cells(line)] for line in lines]
        print(table(("TIME", "ACTOR", "TOKEN", "IP", "ACTION", "TARGET", "STATUS"), rows))
    return 0


def _cells(line: Line) -> tuple[object, ...]:
    of = line.entry
    return of.time, of.actor, of.token_id, of.ip, of.action, of.target, of.status


def _chosen(options: argparse.Namespace, services: Services) -> Iterator[Line]:
    """Yield the lines that are wanted; one that is not what was written is left to `verify`."""
    from vault.audit.catalog import entity_of
    from vault.audit.files import files_of

    for folder in options.folders or [services.audit.folder]:
        for file in files_of(folder):
            for raw in file.lines():
                line = services.audit.sealer.read(raw)
                if line is None or (options.actor and line.entry.actor != options.actor):
                    continue
                if options.project is None or entity_of(line.entry.target) == ("Project", options.project):
                    yield line
