"""`secure-files backup`: all of a vault in a folder, while it serves."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cli import options as shared
from cli.main import say
from cli.ownership import operator, require_owner
from cli.progress import Progress
from cli.tables import as_json

if TYPE_CHECKING:
    from vault.maintenance.place import Snapshot

EPILOG = """\
Copies the catalog as it is at one moment, every file that it names, and the repositories, beside a running server or
without one. TARGET is a folder for the backups of this vault: files that an earlier one brought there are not copied
again. The master keys are left out: without your copy of the keyring a backup opens nothing.

A backup that was cut short has no part in it; the next one clears it away. `secure-files restore` brings a vault back.
In TARGET, `sha256sum --check --quiet snapshots/TIME/SHA256SUMS` tells whether a backup is still what was written.

EXAMPLES
  secure-files backup --data ./data /mnt/backups/vault
  secure-files backup --data ./data /mnt/backups/vault --keep 14 --format json

EXIT STATUS
  0 made; 1 made, but something in the vault is damaged or missing, and is named; 2 an option is wrong; 3 the keyring
  is missing; 4 another backup is being made; 5 the folder cannot be used, or there is no room
"""


def count(text: str) -> int:
    """Read how many backups to keep."""
    if not text.isdecimal() or not text.isascii() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of backups")
    return int(text)


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("target", type=Path, metavar="TARGET", help="folder of this vault's backups; made when missing")
    sub.add_argument("--with-keyring", action="store_true", help="the master keys as well: then guard it as those")
    sub.add_argument("--link", action="store_true", help="on the same disk: link files instead of copying them")
    sub.add_argument("--keep", type=count, default=0, metavar="N", help="keep only the newest N (default all)")
    sub.add_argument("--format", choices=("text", "json"), default="text", help="default text")
    shared.add_settings(sub)


def run(options: argparse.Namespace) -> int:
    """Make the backup, and say where it is."""
    from server.wiring import open_services
    from vault.maintenance.backing_up import Wishes, back_up

    settings = shared.load(options)
    require_owner(settings.data)
    services = open_services(settings)
    try:
        services.audit.check()
        with Progress("backing up") as progress:
            wishes = Wishes(options.with_keyring, options.link, options.keep)
            made = back_up(services.parts(settings), options.target, wishes, progress)
        services.audit.note("backup.make", made.name, actor=operator())
    finally:
        services.close()
    print(as_json(as_dict(made)) if options.format == "json" else made.folder)
    for problem in made.manifest.damaged:
        say(problem)
    if made.manifest.damaged:
        say("what is named is not in this backup, or not whole; an earlier one may have it")
    return 1 if made.manifest.damaged else 0


def as_dict(made: Snapshot) -> dict[str, object]:
    """Return what is to be told of a backup as JSON has it."""
    manifest = made.manifest
    return {
        "backup": str(made.folder),
        "created_at": manifest.created_at,
        "objects": manifest.objects,
        "repositories": len(manifest.repositories),
        "bytes": manifest.bytes,
        "keys": manifest.keys,
        "keyring": manifest.keyring,
        "damaged": manifest.damaged,
    }
