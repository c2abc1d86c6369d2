"""Tables: as wide as they are for a program that reads them, as wide as the window for a person."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# Words that a person should see at a glance; on a terminal alone.
STYLES = {
    **dict.fromkeys(("expired", "error", "failed", "damaged", "revoked"), "bold red"),
    **dict.fromkeys(("expiring", "warning", "due", "locked"), "yellow"),
    **dict.fromkeys(("valid", "told", "ok", "primary"), "green"),
}

GAP, LEAST = 2, 8
"""Characters between two columns, and of a column that is folded, at least."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return columns; those in `right` are aligned to the right.

    On a terminal they fit its width and words such as `expired` have a colour (unless NO_COLOR is set); elsewhere they
    are as wide as their widest cell.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    return _fitted(head, cells, right) if sys.stdout.isatty() else _plain(head, cells, right)


def _plain(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int]) -> str:
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        parts = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def _fitted(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int]) -> str:
    # Imported here: a pipeline never needs it, and it takes as long as the rest of a command.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = shutil.get_terminal_size().columns
    whole = _whole(head, rows, width)
    shown = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column, title in enumerate(head):
        justify: Literal["right", "left"] = "right" if column in right else "left"
        shown.add_column(title, justify=justify, overflow="fold", no_wrap=column in whole)
    for row in rows:
        shown.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console = Console(width=width, highlight=False)
    with console.capture() as printed:
        console.print(shown)
    return "\n".join(line.rstrip() for line in printed.get().splitlines())


def _whole(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> set[int]:
    """Return the columns that are not folded: the narrowest, as long as they leave each other one some characters."""
    wide = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    room, whole = width - GAP * (len(head) - 1), set[int]()
    for column in sorted(range(len(head)), key=wide.__getitem__):
        room -= wide[column]
        if room < LEAST * (len(head) - len(whole) - 1):
            break
        whole.add(column)
    return whole


def as_json(value: object) -> str:
    """Return indented JSON in ASCII: the same in every locale, and nothing in it can steer a terminal."""
    return json.dumps(value, indent=2)


def printable(text: str) -> str:
    """Return text that cannot steer a terminal: control characters and bidi overrides become escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
