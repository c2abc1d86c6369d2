"""Plain tables for a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Return columns as wide as their widest cell; those in `right` are aligned to the right."""
    cells = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        parts = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def as_json(value: object) -> str:
    """Return indented JSON in ASCII: the same in every locale, and nothing in it can steer a terminal."""
    return json.dumps(value, indent=2)


def printable(text: str) -> str:
    """Return text that cannot steer a terminal: control characters and bidi overrides become escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
