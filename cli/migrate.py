"""`secure-files migrate`: moves a vault out of its data folder, to a database and a blob store of their own."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cli import options as shared
from cli.main import say
from cli.progress import Progress
from cli.tables import as_json, table
from vault.errors import Busy, Conflict, Damaged, Invalid

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vault.moving import Move, Tally

EPILOG = """\
Run it while the vault serves: the sealed files are copied, and the command ends with 4, as the rest needs a vault that
stands still. Stop the server and run it again: it copies what has come since, then the catalog in one transaction, and
opens every file where it lies now. Whenever it breaks off, the same command goes on.

From then on no server starts on the catalog in the data folder; nothing in there is changed or removed. The keyring
stays where it is, and so do the repositories. How a bucket is reached is a matter of the settings blobs_endpoint,
blobs_region and so on, for --to-blobs as well.

EXAMPLES
  secure-files migrate --data /srv/vault --to-database postgresql://vault@db/vault --to-blobs s3://vault-blobs/production

EXIT STATUS
  0  moved, and every file opens
  2  an option or a setting is wrong
  3  the keyring is missing, or not the one of the data
  4  the files are copied, and a server is using the data folder: stop it and run this again
  5  a file is damaged, the other side is in use or does not answer, or anything else
"""


@dataclass(frozen=True)
class Moved:
    """What is at the target now."""

    copied: int
    there_before: int
    rows: int
    checked: int
    checked_bytes: int
    damaged: list[str]


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("--to-database", required=True, metavar="URL", help="the catalog to move to, empty as yet")
    sub.add_argument("--to-blobs", required=True, metavar="URL", help="the blob store to move to, empty as yet")
    sub.add_argument("--despite-damage", action="store_true", help="move although files are damaged; they stay so")
    sub.add_argument("--format", choices=("table", "json"), default="table", help="default table")
    shared.add_settings(sub, ("data", "blobs", "keyring"))


def run(options: argparse.Namespace) -> int:
    """Copy what can be copied while the vault serves, and the rest when it does not; print what was moved."""
    from server.wiring import moved_mark, open_elsewhere, open_services
    from vault.lock import FolderLock
    from vault.moving import Move, Place

    settings = shared.load(options)
    if settings.database:
        raise Invalid("--database", "is set: what moves is the vault in a data folder")
    with closing(open_services(settings, moved=True)) as services:
        database, blobs = open_elsewhere(settings, options.to_database, options.to_blobs)
        with closing(database):
            move = Move(Place(services.database, services.blobs), Place(database, blobs), services.storage)
            move.begin()
            try:
                with FolderLock(settings.data, patience=0.0):
                    moved = _all(move, moved_mark(settings.data), despite_damage=options.despite_damage)
            except Busy as error:
                _objects(move)
                raise Busy("the files are copied; stop the server and run this again for the rest") from error
    _print(moved, options.format)
    say("start the servers with --database and --blobs as given here, and the same keyring")
    return 0


def _all(move: Move, mark: Path, *, despite_damage: bool) -> Moved:
    if move.has_rows() and not mark.exists():
        raise Conflict("the vault was moved there before, and has been used here since: move to an empty database")
    copied = _objects(move)
    if not despite_damage:
        _refuse_damage(copied, "cannot be copied; --despite-damage moves the others")
    rows = 0
    if not move.has_rows():
        with _marked(mark, move.has_rows):
            rows = sum(move.copy_rows().values())
    checked = _counted("checking", move.rows(), move.verify)
    if not despite_damage:
        _refuse_damage(checked, "do not open where they lie now; remove them there and run this again")
    return Moved(copied.done, copied.there, rows, checked.done, checked.bytes, checked.damaged)


def _objects(move: Move) -> Tally:
    return _counted("copying", move.objects(), move.copy_objects)


def _counted(doing: str, total: int, work: Callable[[Callable[[], None]], Tally]) -> Tally:
    say(f"{doing} {total} sealed files")
    with Progress(doing, total) as progress:
        return work(lambda: progress.step(""))


def _refuse_damage(tally: Tally, what: str) -> None:
    if tally.damaged:
        named = ", ".join(tally.damaged[:5]) + (", ..." if len(tally.damaged) > 5 else "")
        raise Damaged(f"{len(tally.damaged)} sealed files {what}: {named}")


@contextmanager
def _marked(mark: Path, has_rows: Callable[[], bool]) -> Iterator[None]:
    """Have the mark be there before anything is written elsewhere; an error, but no kill, takes it away again.

    Between the two a server that starts here would take what is never moved.
    """
    fd = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    folder = os.open(mark.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
        os.fsync(folder)
    finally:
        os.close(fd)
        os.close(folder)
    try:
        yield
    except Exception:
        if not has_rows():  # nor does it go when that cannot be found out
            mark.unlink()
        raise


def _print(moved: Moved, form: str) -> None:
    if form == "json":
        print(as_json(asdict(moved)))
        return
    rows = [
        (name.replace("_", " "), str(len(value) if isinstance(value, list) else value))
        for name, value in asdict(moved).items()
    ]
    print(table(("WHAT", "HOW MANY"), rows, right={1}))
