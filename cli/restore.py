"""`secure-files restore`: a vault out of a backup, in a new place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cli import options as shared
from cli.main import say
from cli.ownership import operator
from cli.progress import Progress
from cli.tables import as_json

if TYPE_CHECKING:
    import argparse

EPILOG = """\
SOURCE is a folder of backups, of which the newest whole one is taken, or one of its snapshots/. The vault is made in
--data, which has to be new, empty, or hold nothing but keys/keyring.json; with --database and --blobs it goes into
those engines, whichever it came from, and they have to be empty. The keyring has to be there before: in its place, by
--keyring, or in the backup. What is missing is said before anything is written. At the end all is verified.

EXAMPLES
  install -D -m 600 ~/elsewhere/keyring.json ./restored/keys/keyring.json
  secure-files restore --data ./restored /mnt/backups/vault
  secure-files restore --data ./moved --database postgresql://vault@db/vault --blobs s3://vault /mnt/backups/vault

EXIT STATUS
  0 restored, and all is well; 1 restored, but something is damaged or missing, and is named; 2 an option is wrong, or
  something could not be looked at; 3 the keyring is missing; 4 the folder is in use; 5 there is no whole backup, it is
  of a newer program, or the place is not empty
"""


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("source", type=Path, metavar="SOURCE", help="folder of backups, or one of its snapshots")
    sub.add_argument("--format", choices=("text", "json"), default="text", help="default text")
    shared.add_settings(sub)


def run(options: argparse.Namespace) -> int:
    """Restore, and print what the verification found."""
    from cli.verify import as_text, status_of
    from server.restoring import restore

    settings = shared.load(options)
    with Progress("restoring") as progress:
        restored = restore(settings, options.source, progress, operator())
    if options.format == "json":
        told = {"backup": str(restored.snapshot.folder), "problems": restored.problems}
        print(as_json({**told, "verification": restored.report.as_dict()}))
    else:
        print(as_text(restored.report))
    for problem in restored.problems:
        say(problem)
    say(f"restored {restored.snapshot.name} into {settings.data.absolute()}")
    return 1 if restored.problems else status_of(restored.report)
