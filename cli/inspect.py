"""`secure-files inspect FILE`: what the vault would say of a file, without a vault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from cli.environment import secret
from cli.main import say
from cli.tables import as_json, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

EPILOG = """\
The file is read in a child process with limits, as the server does it. A password is read from the environment
variable that --password-env names: it never stands on the command line.

EXAMPLES
  secure-files inspect upload-keystore.jks
  KEYSTORE_PASSWORD=... secure-files inspect release.p12 --password-env KEYSTORE_PASSWORD

EXIT STATUS
  0  the file was read
  1  it could not be read; the reason code says why
  2 an option is wrong; 5 the file is not there, or is none
"""

WAYS_OUT = {
    "password_missing": "; name the variable that holds its password with --password-env",
    "password_wrong": "; is it the password of this file, and is the file whole?",
}


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("file", type=Path, metavar="FILE")
    sub.add_argument("--password-env", metavar="VAR", help="environment variable that holds the file's password")
    sub.add_argument("--format", choices=("text", "json"), default="text", help="default text")


def run(options: argparse.Namespace) -> int:
    """Print what was found; 1 when the file could not be read."""
    from parsers.interface import MAX_SIZE
    from parsers.isolated import Pool

    password = secret(options.password_env)
    with options.file.open("rb") as file:
        data = file.read(MAX_SIZE + 1)  # a byte more is enough to be told that it is too large
    pool = Pool(1)
    try:
        found = pool.inspect(options.file.name, data, password)
    finally:
        pool.close()
    facts = {"kind": found.kind, "expires_at": found.expires_at, "metadata": found.metadata, "error": found.error}
    if options.format == "json":
        print(as_json(facts))
    else:
        _print_text(facts)
    if found.error:
        say(f"{options.file.name} could not be read: {found.error}{WAYS_OUT.get(found.error, '')}")
    return 1 if found.error else 0


def _print_text(facts: Mapping[str, object]) -> None:
    for key, value in facts.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            print(f"{key}: " + "\n".join(printable(line) for line in text.split("\n")))
