"""How the command line explains itself: help that fits the window, and where to find it after a mistake."""

from __future__ import annotations

import argparse
import re
import sys
from typing import NoReturn

WIDEST = 118
"""Longer lines are hard to read, however wide the window is."""
COLUMN = re.compile(r" *(?:\S+ {2,})?")


class Parser(argparse.ArgumentParser):
    """Says where to read on when the command line is wrong."""

    def error(self, message: str) -> NoReturn:
        """End with 2, the usage and what is wrong."""
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message}; see `{self.prog} --help`\n")


class Manner(argparse.RawDescriptionHelpFormatter):
    """Prose is filled, columns and indented lines hang, and what stands under EXAMPLES is left alone."""

    # What argparse calls; it has no public name.
    def _fill_text(self, text: str, width: int, indent: str) -> str:  # noqa: ARG002 - a command's text has none
        return "\n\n".join(filled(part, min(width, WIDEST)) for part in text.strip("\n").split("\n\n"))


def filled(part: str, width: int) -> str:
    """Return a paragraph, a block of lines under a heading in capitals, or rows with a first column, in that width."""
    if part.startswith("EXAMPLES\n"):
        return part
    return "\n".join(_hanging(line, width) for line in _joined(part.split("\n")))


def _joined(lines: list[str]) -> list[str]:
    """Return the lines with each that goes on from the one before put behind that one."""
    found: list[str] = []
    for line in lines:
        begins = not found or found[-1].isupper() or _hang(line) != _hang(found[-1]) or _has_column(line)
        if begins:
            found.append(line)
        else:
            found[-1] += " " + line.lstrip()
    return found


def _hang(line: str) -> int:
    found = COLUMN.match(line)
    return found.end() if found else 0


def _has_column(line: str) -> bool:
    return _hang(line) > len(line) - len(line.lstrip())


def _hanging(line: str, width: int) -> str:
    # Imported here: only help needs it.
    import textwrap

    indent = " " * _hang(line)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
