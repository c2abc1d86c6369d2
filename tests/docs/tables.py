"""Tables that only repeat the program. `python -m tests.docs.tables` writes them anew; tests compare them."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from typing import TYPE_CHECKING

from cli import COMMANDS, parser
from cli.serve import FLAGS
from server.settings import PREFIX, Settings
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from pathlib import Path

Rows = list[list[str]]
PAGE = ROOT / "docs" / "operations.md"


def settings() -> Rows:
    """Return each setting with its flag, variable, default and sentence."""
    return [
        [
            f"`{each.name}`",
            f"`--{each.name.replace('_', '-')}`" if each.name in FLAGS else "",
            f"`{PREFIX}{each.name.upper()}`",
            f"`{_written(each.default)}`" if each.default not in ("", ()) else "",
            each.metadata["about"],
        ]
        for each in fields(Settings)
    ]


def _written(default: object) -> str:
    """Return a default as one would write it in a variable."""
    if isinstance(default, tuple):
        return ", ".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


def options(command: str) -> Rows:
    """Return each option of a command as one writes it, with its help."""
    actions = next(each for each in parser([command])._actions if isinstance(each, argparse._SubParsersAction))
    rows = []
    for action in actions.choices[command]._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        choices = ",".join(map(str, action.choices or ()))
        value = action.metavar or (f"{{{choices}}}" if choices else action.dest.upper())
        if action.nargs == 0:
            value = ""
        written = f"{', '.join(action.option_strings)} {value}" if action.option_strings else action.metavar or choices
        rows.append([f"`{str(written).strip()}`", (action.help or "").replace("%%", "%")])
    return rows


def with_table(text: str, title: str, rows: Rows) -> str:
    """Return the page with the rows of the first table under a heading replaced; its head stays."""
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows]
    pattern = re.compile(rf"(^#+ {re.escape(title)}\n(?:(?!\||#).*\n)*\|.*\n\|[ |-]*\n)((?:\|.*\n)*)", re.MULTILINE)
    found = pattern.search(text)
    if found is None:
        raise SystemExit(f"{PAGE.name} has no table under {title!r}: add one with its head, and run this again")
    return text[: found.start(2)] + "".join(lines) + text[found.end(2) :]


def write(page: Path = PAGE) -> None:
    """Write all tables anew."""
    text = with_table(page.read_text("utf-8"), "Settings", settings())
    for command in COMMANDS:
        if command.name != "serve":  # its options are the flags of the settings
            text = with_table(text, command.name, options(command.name))
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    write()
