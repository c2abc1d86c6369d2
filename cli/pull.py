"""`secure-files pull`: a project's secure files into a folder, for the job that signs with them."""

from __future__ import annotations

from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from cli import environment, transfer
from cli.folder import Folder
from cli.progress import Progress
from cli.tables import as_json, printable
from vault.errors import VaultError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cli.transfer import Files, Stored

EPILOG = f"""\
In a CI job nothing need be given: the address is CI_API_V4_URL, the project CI_PROJECT_ID (or CI_PROJECT_PATH), the
token CI_JOB_TOKEN. Elsewhere they are --url or SECURE_FILES_URL, --project or SECURE_FILES_PROJECT, and the variable
SECURE_FILES_TOKEN or the one that --token-env names. A job's variables are used for the job's own server alone. It
works with a GitLab as well, in the place of its download-secure-files.

A NAME is a file's whole name, or a pattern with *, ? and [...], where * goes past slashes too; without any, all files
come. A folder in a name becomes a folder. Each file is compared with its checksum before it is written, has the mode
0600, and replaces what has its name when it is safe on disk. Where the files went is on stdout.

EXAMPLES
  secure-files pull
  secure-files pull upload-keystore.jks 'certs/*.p12' --path signing
  secure-files pull --url https://vault.example.com --project team/app --format json

EXIT STATUS
  0  every file that was asked for is there
  1  the project has none of a name or pattern that was asked for; then nothing is written
  2  an option or a variable is missing or wrong
  5  a file cannot be written: its name, the folder or the disk
{transfer.EXIT_STATUS}\
"""


class NoMatch(VaultError):
    """No file has a name that was asked for."""


EXIT_CODES = ((NoMatch, 1), *transfer.EXIT_CODES)


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("names", nargs="*", metavar="NAME", help="name or pattern of the files to bring (default all)")
    sub.add_argument(
        "--path", type=Path, metavar="DIR", help="folder (default SECURE_FILES_DOWNLOAD_PATH, else .secure_files)"
    )
    sub.add_argument("--format", choices=("text", "json"), default="text", help="default text")
    transfer.add_options(sub)


def run(options: argparse.Namespace) -> int:
    """Bring the files and print where they are."""
    folder = Folder(options.path or environment.download_path())
    with transfer.unwinding(), Progress("pulling") as progress:
        files = transfer.connect(options, progress.note)
        wanted = chosen(files.listed(), options.names)
        if not wanted:
            progress.note(f"{files.project} has no secure files")
        folder.check(file.name for file in wanted)
        places = _bring(files, wanted, folder, progress)
    if options.format == "json":
        rows = zip(wanted, places, strict=True)
        print(as_json([{"name": file.name, "path": str(path), "checksum": file.checksum} for file, path in rows]))
    else:
        for path in places:
            print(printable(str(path)))
    return 0


def chosen(files: Sequence[Stored], asked: Sequence[str]) -> list[Stored]:
    """Return the files asked for, in the order of their names; all when nothing is. Raises `NoMatch`."""
    found: dict[str, Stored] = {} if asked else transfer.by_name(files)
    missing = []
    for name in asked:
        matching = [file for file in files if file.name == name] or [
            file for file in files if fnmatchcase(file.name, name)
        ]
        found.update(transfer.by_name(matching))
        if not matching:
            missing.append(name)
    if missing:
        raise NoMatch(f"the project has no secure file {' or '.join(repr(name) for name in missing)}")
    return [found[name] for name in sorted(found)]


def _bring(files: Files, wanted: Sequence[Stored], folder: Folder, progress: Progress) -> list[Path]:
    places = []
    progress.total = len(wanted)
    with closing(transfer.in_order(files.content, wanted)) as contents:
        for file, content in zip(wanted, contents, strict=True):
            places.append(folder.write(file.name, content))
            progress.step(file.name)
    return places
