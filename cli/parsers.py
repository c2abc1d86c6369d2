"""`secure-files parsers`: which kinds of file can be read, and by whose parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.tables import as_json, table

if TYPE_CHECKING:
    import argparse

    from parsers.isolated import Listing

EPILOG = """\
Besides the built-in parsers there are those of plugins: packages installed beside this one that have entry points of
the group secure_files.parsers. A plugin that cannot be loaded is listed with its problem; the server goes on without.

EXAMPLES
  secure-files parsers
  secure-files parsers --format json

EXIT STATUS
  0  every parser can be used
  1  one cannot: its problem is in the list
  2 an option is wrong; 5 the parsers' process does not start
"""


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("--format", choices=("table", "json"), default="table", help="default table")


def run(options: argparse.Namespace) -> int:
    """Print the list; 1 when a parser has a problem."""
    listed = _listed()
    if options.format == "json":
        print(as_json([parser._asdict() for parser in listed]))
    else:
        print(table(("NAME", "ORIGIN", "PROBLEM"), [(name, origin, problem or "") for name, origin, problem in listed]))
    return 1 if any(parser.problem for parser in listed) else 0


def _listed() -> list[Listing]:
    from parsers.isolated import Pool
    from vault.errors import Unavailable

    pool = Pool(1)
    try:
        listed = pool.parsers()
    finally:
        pool.close()
    if not listed:
        raise Unavailable("the process that reads files does not start")
    return listed
