"""`secure-files push`: local files into a project, from a pipeline or by hand."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli import transfer
from cli.environment import secret
from cli.folder import Folder
from cli.main import say
from cli.progress import Progress
from cli.remote import LARGEST_BODY
from cli.tables import as_json, table
from cli.transfer import CannotReplace, Taken
from vault.errors import Invalid, VaultError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from cli.transfer import Files, Stored

EPILOG = f"""\
The server, the project and the token are found as `secure-files pull --help` says. A file's name there is the last part
of its path, or what --name says; a --name that ends with a slash is the folder for all of them.

A name that holds the same content already is left alone, so a push can be repeated. One that holds another content is
refused, or replaced with --replace: id and name stay. A GitLab cannot replace; there the file is deleted and uploaded
anew, under another id, which is said on stderr.

A password is read from the variable that --password-env names. The vault opens the files with it once, to tell when
they expire, and does not keep it. A GitLab has no use for one.

EXAMPLES
  secure-files push upload-keystore.jks
  secure-files push build/dist.p12 --name certs/distribution/ABC123.p12 --password-env P12_PASSWORD
  secure-files push --replace --name profiles/ *.mobileprovision

EXIT STATUS
  0  every file is there with this content
  1  a name is taken by another content, and --replace was not given; the other files are there
  2  an option or a variable is missing or wrong
  5  a file cannot be read
{transfer.EXIT_STATUS}\
"""
EXIT_CODES = transfer.EXIT_CODES


@dataclass(frozen=True)
class Pushed:
    """What became of one file: `created`, `replaced`, `unchanged` or `taken`."""

    name: str
    id: int
    state: str
    checksum: str
    expires_at: str | None
    metadata_error: str | None

    @classmethod
    def told(cls, file: Stored, state: str) -> Pushed:
        """Return the outcome for a file as the server has it now."""
        return cls(file.name, file.id, state, file.checksum, file.expires_at, file.metadata_error)


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("files", nargs="+", type=Path, metavar="FILE")
    sub.add_argument("--name", metavar="NAME", help="name in the project; with a slash at its end, a folder for all")
    sub.add_argument("--replace", action="store_true", help="put the content in the place of another of that name")
    sub.add_argument("--password-env", metavar="VAR", help="environment variable that holds the files' password")
    sub.add_argument("--format", choices=("table", "json"), default="table", help="default table")
    transfer.add_options(sub)


def run(options: argparse.Namespace) -> int:
    """Upload the files and print what became of them; 1 when a name is taken."""
    named = _named(options.files, options.name)
    password = secret(options.password_env)
    contents = {name: _content(path) for name, path in named.items()}
    with transfer.unwinding(), Progress("pushing", len(named)) as progress:
        files = transfer.connect(options, progress.note)
        push = Push(files, progress, replace=options.replace, password=password)
        pushed = list(push.all(contents))
    _print(pushed, options.format)
    for each in pushed:
        if each.state == "taken":
            say(f"{each.name} is there with another content; --replace would put this one in its place")
        elif each.metadata_error:
            say(f"{each.name} is stored, but what it holds could not be read: {each.metadata_error}")
    return 1 if any(each.state == "taken" for each in pushed) else 0


def _named(paths: Sequence[Path], name: str | None) -> dict[str, Path]:
    """Return the paths by the names their files are to have. Raises `Invalid` when two would have the same."""
    folder = name if name is not None and name.endswith("/") else ""
    if name is not None and not folder and len(paths) > 1:
        raise Invalid("--name", "can name one file only; end it with a slash to make it the folder of several")
    named: dict[str, Path] = {}
    for path in paths:
        called = name if name and not folder else folder + path.name
        if called in named:
            raise Invalid("FILE", f"{named[called]} and {path} would both be called {called}")
        named[called] = path
    return named


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LARGEST_BODY + 1)
    if len(content) > LARGEST_BODY:
        raise Invalid("FILE", f"{path} is larger than any server takes")
    return content


class Push:
    """Brings contents under their names into a project."""

    def __init__(self, files: Files, progress: Progress, *, replace: bool, password: str | None) -> None:
        self._files = files
        self._progress = progress
        self._replace = replace
        self._password = password

    def all(self, contents: dict[str, bytes]) -> Iterator[Pushed]:
        """Push each and tell what became of it."""
        known = transfer.by_name(self._files.listed())
        for name, content in contents.items():
            yield self._new(name, content) if name not in known else self._known(known[name], content)
            self._progress.step(name)

    def _new(self, name: str, content: bytes) -> Pushed:
        try:
            return Pushed.told(self._files.create(name, content, self._password), "created")
        except Taken:  # by another, since we looked
            found = transfer.by_name(self._files.listed()).get(name)
            if found is None:
                raise
            return self._known(found, content)

    def _known(self, file: Stored, content: bytes) -> Pushed:
        if file.checksum == transfer.checksum(content):
            return Pushed.told(self._read(file), "unchanged")
        if not self._replace:
            return Pushed.told(file, "taken")
        try:
            return Pushed.told(self._files.replace(file, content, self._password), "replaced")
        except CannotReplace:
            return Pushed.told(self._exchange(file, content), "replaced")

    def _read(self, file: Stored) -> Stored:
        """Have a file that is there already read with the password, where the server can."""
        if self._password is None:
            return file
        try:
            return self._files.read_again(file, self._password)
        except CannotReplace:
            return file

    def _exchange(self, file: Stored, content: bytes) -> Stored:
        """Delete and upload anew; when that is refused, the old content goes back."""
        old = self._files.content(file)
        self._files.delete(file)
        try:
            stored = self._files.create(file.name, content)
        except BaseException:
            self._put_back(file, old)
            raise
        gone = f"it was deleted (id {file.id}) and uploaded anew (id {stored.id})"
        self._progress.note(f"{file.name}: {self._files.remote.called} has no request that replaces, so {gone}")
        return stored

    def _put_back(self, file: Stored, old: bytes) -> None:
        try:
            back = self._files.create(file.name, old)
            told = f"its old content is back, with the id {back.id}"
        except VaultError:
            kept = Folder(Path()).write(f"{file.checksum[:8]}-{file.name.rpartition('/')[2]}", old)
            told = f"it was deleted, and its old content could not be put back: that is in the file {kept}"
        self._progress.note(f"{file.name} could not be replaced; {told}")


def _print(pushed: Sequence[Pushed], form: str) -> None:
    if form == "json":
        print(as_json([asdict(each) for each in pushed]))
        return
    rows = [(each.name, str(each.id), each.state, (each.expires_at or "")[:10]) for each in pushed]
    print(table(("NAME", "ID", "STATE", "EXPIRES"), rows, right=(1,)))
