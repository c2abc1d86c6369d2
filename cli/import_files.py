"""`secure-files import`: a project's secure files brought over from a GitLab, or from another vault."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from cli import environment, transfer
from cli.main import say, status_of
from cli.progress import Progress
from cli.remote import same_server
from cli.tables import as_json, table
from cli.transfer import Files, Taken
from vault.errors import Forbidden, Invalid, Unauthenticated, VaultError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from cli.transfer import Stored

EPILOG = f"""\
--from and --from-project say where the files are; a token that may read them (developer, read_api) is in the variable
that --from-token-env names. The vault, the project they go to and the token (maintainer, api) are given as
`secure-files pull --help` says.

Every file is compared with the checksum that the source lists, and the vault's with that. The vault reads kind and
expiry anew. A name that is there with the same content is passed over, so an import that broke off is begun again with
the same command; one with another content is reported and left as it is. Nothing is changed at the source.

EXAMPLES
  secure-files import --from https://gitlab.com --from-project team/app --from-token-env GITLAB_TOKEN \\
    --url https://vault.example.com --project team/app --token-env VAULT_TOKEN --dry-run

EXIT STATUS
  0  every file of the source is in the project
  1  a name is taken by another content; the other files are there
  2  an option or a variable is missing or wrong
{transfer.EXIT_STATUS}\
6, 7 and 8 are also for a single file that could not be brought over; the others were tried.
"""
EXIT_CODES = transfer.EXIT_CODES
DIFFERS = "is there with another content, and was left as it is"


@dataclass(frozen=True)
class Imported:
    """What became of one file: `imported` (or would be: `new`), `there`, `differs` or `failed`."""

    name: str
    state: str
    checksum: str
    expires_at: str | None = None
    reason: str | None = None


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("--from", dest="source", required=True, metavar="URL", help="address of the GitLab or vault")
    sub.add_argument("--from-project", metavar="ID", help="path or number there (default: what --project is here)")
    sub.add_argument(
        "--from-token-env", metavar="VAR", help="variable with the token there (default SECURE_FILES_FROM_TOKEN)"
    )
    sub.add_argument("--dry-run", action="store_true", help="only say what would be done")
    sub.add_argument("--format", choices=("table", "json"), default="table", help="default table")
    transfer.add_options(sub)


def run(options: argparse.Namespace) -> int:
    """Bring the files over and print what became of each; 1 when one differs."""
    with transfer.unwinding(), Progress("importing") as progress:
        target = transfer.connect(options, progress.note)
        source = _source(options, target, progress)
        bringing = Import(source, target, progress)
        rows = bringing.planned() if options.dry_run else list(bringing.all())
    _print(rows, options.format)
    for row in rows:
        if row.reason:
            say(f"{row.name}: {row.reason}")
    differs = any(row.state == "differs" for row in rows)
    return max((status_of(error, EXIT_CODES) for error in bringing.failures), default=int(differs))


def _source(options: argparse.Namespace, target: Files, progress: Progress) -> Files:
    remote = environment.remote(
        options.source, options.from_token_env, option="--from-token-env", default="SECURE_FILES_FROM_TOKEN"
    )
    project = options.from_project or target.project
    if not options.from_project and "/" not in project:
        raise Invalid("--from-project", "is missing: a project's number here says nothing there")
    if same_server(remote.api, target.remote.api) and project == target.project:
        raise Invalid("--from", "is the project that the files would go to")
    return Files(transfer.patient(replace(remote, called="the source"), progress.note), project)


class Import:
    """Brings over what is missing. A file that cannot be is among `failures`, and does not keep the others."""

    def __init__(self, source: Files, target: Files, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self.failures: list[VaultError] = []

    def planned(self) -> list[Imported]:
        """Return what there is to do, in the order of names."""
        here = transfer.by_name(self._target.listed())
        return [self._compared(file, here.get(file.name)) for file in self._theirs()]

    def all(self) -> Iterator[Imported]:
        """Bring over what is missing and tell of every file what became of it."""
        here = transfer.by_name(self._target.listed())
        theirs = self._theirs()
        missing = [file for file in theirs if file.name not in here]
        self._progress.total = len(missing)
        with closing(transfer.in_order(self._fetched, missing)) as contents:
            for file in theirs:
                if file.name in here:
                    yield self._compared(file, here[file.name])
                else:
                    yield self._put(file, next(contents))
                    self._progress.step(file.name)

    def _theirs(self) -> list[Stored]:
        return sorted(self._source.listed(), key=lambda file: file.name)

    def _compared(self, file: Stored, here: Stored | None) -> Imported:
        if here is None:
            return Imported(file.name, "new", file.checksum)
        if here.checksum == file.checksum:
            return Imported(file.name, "there", file.checksum, here.expires_at)
        return Imported(file.name, "differs", here.checksum, here.expires_at, DIFFERS)

    def _fetched(self, file: Stored) -> bytes | VaultError:
        try:
            return self._source.content(file)
        except (Unauthenticated, Forbidden):
            raise  # so it would be with every other
        except VaultError as error:
            return error

    def _put(self, file: Stored, content: bytes | VaultError) -> Imported:
        if isinstance(content, VaultError):
            return self._failed(file, content)
        try:
            stored = self._target.create(file.name, content)
        except (Unauthenticated, Forbidden):
            raise
        except Taken:  # by another, since we looked
            return Imported(file.name, "differs", file.checksum, reason=DIFFERS)
        except VaultError as error:
            return self._failed(file, error)
        return Imported(file.name, "imported", stored.checksum, stored.expires_at)

    def _failed(self, file: Stored, error: VaultError) -> Imported:
        self.failures.append(error)
        return Imported(file.name, "failed", file.checksum, reason=str(error))


def _print(rows: Sequence[Imported], form: str) -> None:
    if form == "json":
        print(as_json([asdict(row) for row in rows]))
        return
    cells = [(row.name, row.state, (row.expires_at or "")[:10]) for row in rows]
    print(table(("NAME", "STATE", "EXPIRES"), cells))
