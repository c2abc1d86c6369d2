"""The secure files of a project at a server, a vault or a GitLab, on their way from and to it.

Only GitLab's requests are used, but for `replace` and `read_again`. Nothing is handed on whose checksum is wrong.
"""

from __future__ import annotations

import hashlib
import secrets
import signal
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cli import environment
from cli.patience import Patience
from cli.remote import BadAddress, Refused
from vault.errors import Forbidden, Unauthenticated, Unavailable, VaultError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from typing import TypeVar

    from cli.main import ExitCodes
    from cli.remote import Answer, Remote

    Item = TypeVar("Item")
    Result = TypeVar("Result")

TRIES = 5
AT_ONCE = 4
LOOKS = 3
TAKEN = {"name": ["has already been taken"]}


class Mismatch(VaultError):
    """What came over the line is not what its checksum says."""


class Taken(VaultError):
    """The name is taken in the project."""


class CannotReplace(VaultError):
    """The server has no request for this, as GitLab."""


EXIT_CODES: ExitCodes = (
    (BadAddress, 2),
    (Unauthenticated, 6),
    (Forbidden, 6),
    (Refused, 6),
    (Unavailable, 7),
    (Mismatch, 8),
)
EXIT_STATUS = """\
  6  the server refuses: the token, its owner's role, the project, the file
  7  the server does not answer, or not as a vault does, after 5 tries
  8  what came is not what its checksum says
"""


@dataclass(frozen=True)
class Stored:
    """A secure file as the server tells of it; what GitLab does not tell is None."""

    id: int
    name: str
    checksum: str
    expires_at: str | None = None
    metadata_error: str | None = None


def checksum(content: bytes) -> str:
    """Return the SHA-256 that servers list, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


class Files:
    """The secure files of one project. Every method raises `VaultError` with what the server said."""

    def __init__(self, remote: Remote, project: str) -> None:
        self.remote = remote
        self.project = project
        self._path = f"/projects/{quote(project, safe='')}/secure_files"

    def listed(self) -> list[Stored]:
        """Return all of them, newest first."""
        return [self._stored(row) for row in self.remote.pages(f"{self._path}?per_page=100")]

    def content(self, file: Stored) -> bytes:
        """Return a file's content. Raises `Mismatch` when it is not what the list's checksum says.

        Looks again before: the file may have been replaced since it was listed.
        """
        for _ in range(LOOKS):
            content = self.remote.demand("GET", f"{self._path}/{file.id}/download").body
            if checksum(content) == file.checksum:
                return content
            file = next((each for each in self.listed() if each.id == file.id), file)
        raise Mismatch(f"{file.name}: what came is not what its checksum says, {LOOKS} times")

    def create(self, name: str, content: bytes, password: str | None = None) -> Stored:
        """Upload a file under a new name. Raises `Taken` when the name has another content."""
        body, content_type = multipart({"name": name, "password": password}, content)
        answer = self.remote.ask("POST", self._path, body, content_type)
        if answer.status == 400 and _message(answer) == TAKEN:
            # By ourselves, where the answer to a first try was lost.
            found = by_name(self.listed()).get(name)
            if found is not None and found.checksum == checksum(content):
                return found
            raise Taken(f"{name} is taken in {self.project} by another content")
        return self._kept(answer, content)

    def replace(self, file: Stored, content: bytes, password: str | None = None) -> Stored:
        """Put new content in a file's place. Raises `CannotReplace` where the server has no such request."""
        body, content_type = multipart({"password": password}, content)
        return self._kept(self._extra("PUT", f"{self._path}/{file.id}", body, content_type), content)

    def read_again(self, file: Stored, password: str) -> Stored:
        """Have a file's metadata read with its password. Raises `CannotReplace` where there is no such request."""
        body, content_type = multipart({"password": password}, None)
        answer = self._extra("POST", f"{self._path}/{file.id}/metadata", body, content_type)
        return self._stored(self._good(answer).json())

    def delete(self, file: Stored) -> None:
        """Delete a file; one that is gone already is no mistake."""
        answer = self.remote.ask("DELETE", f"{self._path}/{file.id}")
        if answer.status != 404:
            self._good(answer)

    def _extra(self, method: str, path: str, body: bytes, content_type: str) -> Answer:
        answer = self.remote.ask(method, path, body, content_type)
        # A missing route is told as "error"; a missing file, or a project that lies elsewhere now, as "message".
        if answer.status in (404, 405) and _message(answer) is None:
            raise CannotReplace(f"{self.remote.called} at {self.remote.api} has no {method} for this")
        return answer

    def _kept(self, answer: Answer, content: bytes) -> Stored:
        stored = self._stored(self._good(answer).json())
        if stored.checksum != checksum(content):
            raise Mismatch(f"{stored.name}: the server holds other bytes than were sent")
        return stored

    def _good(self, answer: Answer) -> Answer:
        if not answer.good:
            raise self.remote.refusal(answer)
        return answer

    def _stored(self, row: Any) -> Stored:
        try:
            found = Stored(row["id"], row["name"], row["checksum"], row.get("expires_at"), row.get("metadata_error"))
        except (TypeError, KeyError, AttributeError):
            found = None
        if found is None or (type(found.id), type(found.name), type(found.checksum)) != (int, str, str):
            raise Unavailable(f"no secure file came from {self.remote.api}: is it the address of a vault?")
        return found


def _message(answer: Answer) -> Any:
    found = answer.json()
    return found.get("message") if isinstance(found, dict) else None


def multipart(fields: dict[str, str | None], content: bytes | None) -> tuple[bytes, str]:
    """Return a form's body and its Content-Type (RFC 7578); fields that are None are left out."""
    boundary = secrets.token_hex(16).encode()
    parts = [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s'
        % (name.encode(), text.encode("utf-8", "surrogateescape"))
        for name, text in fields.items()
        if text is not None
    ]
    if content is not None:
        head = b'Content-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: application/octet-stream'
        parts.append(head + b"\r\n\r\n" + content)
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    return body, f"multipart/form-data; boundary={boundary.decode()}"


def add_options(sub: argparse.ArgumentParser) -> None:
    """Add the options that say where the project is."""
    sub.add_argument("--url", metavar="URL", help="the vault's address (default SECURE_FILES_URL, else CI_API_V4_URL)")
    sub.add_argument(
        "--project", metavar="ID", help="path or number (default SECURE_FILES_PROJECT, else the CI job's project)"
    )
    sub.add_argument("--token-env", metavar="VAR", help="variable that holds the token (default SECURE_FILES_TOKEN)")


def connect(options: argparse.Namespace, tell: Callable[[str], object]) -> Files:
    """Return the files of the project that the options and the environment name. Raises `Invalid`, `BadAddress`.

    `tell` hears why something is tried again.
    """
    url = environment.address(options.url)
    remote = environment.remote(url, options.token_env)
    return Files(patient(remote, tell), environment.project(options.project, url))


def patient(remote: Remote, tell: Callable[[str], object]) -> Remote:
    """Return the same server, asked again when it does not answer at once."""
    return replace(remote, patience=Patience(TRIES, tell=tell))


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], at_once: int = AT_ONCE
) -> Generator[Result, None, None]:
    """Yield what `work` returns of each item, in their order, with so many under way; raises what it raises.

    Works ahead no further than twice as many, and leaves off as soon as the caller does. The threads are daemons, so
    that Ctrl-C need not wait for a server that does not answer.
    """
    futures: list[Future[Result]] = [Future() for _ in items]
    waiting = deque(zip(items, futures, strict=True))
    room = threading.Semaphore(2 * at_once)

    def take() -> None:
        while room.acquire() and waiting:
            try:
                item, future = waiting.popleft()
            except IndexError:
                break  # another took the last one
            try:
                future.set_result(work(item))
            except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
                future.set_exception(error)
        room.release()

    for _ in range(min(at_once, len(items))):
        threading.Thread(target=take, daemon=True).start()
    try:
        for future in futures:
            yield future.result()
            room.release()
    finally:
        waiting.clear()
        room.release()


@contextmanager
def unwinding() -> Iterator[None]:
    """Let SIGTERM, which a cancelled job gets, unwind what is half done instead of leaving it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def by_name(files: Iterable[Stored]) -> dict[str, Stored]:
    """Return files by their names, of which a project has each once."""
    return {file.name: file for file in files}
