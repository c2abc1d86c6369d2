"""The git program, for what it does better than a library: blame, packing, and serving clones and pushes.

No configuration of the machine, of a user or of a repository is trusted, and no hook but ours is run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from vault.errors import StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HOOKS = Path(__file__).parent / "hooks"
CONFIG = {
    "safe.directory": "*",
    "core.hooksPath": str(HOOKS),
    "core.fsync": "all",
    "core.logAllRefUpdates": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
# Faults of objects that old histories are full of and that do no harm; GitLab takes them too.
HARMLESS = ("badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode")
TIMEOUT = 60.0
PIECE = 256 * 1024
NICE = 10


@cache
def program() -> str:
    """Return where the git program is. Raises `Unavailable`."""
    found = shutil.which("git")
    if found is None:
        raise Unavailable("the git program is not installed")
    return found


def environment(config: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment of a git program, with our configuration and `config` above all other."""
    settings = {**CONFIG, **(config or {})}
    variables = {
        "PATH": os.pathsep.join((str(Path(program()).parent), os.defpath)),
        "HOME": os.devnull,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def command(repository: Path, *arguments: str) -> list[str]:
    """Return the command line of git in a bare repository; paths in it are names, never patterns."""
    return [program(), f"--git-dir={repository}", "--literal-pathspecs", *arguments]


def run(
    repository: Path,
    *arguments: str,
    given: bytes = b"",
    inherit: Sequence[int] = (),
    timeout: float = TIMEOUT,
    config: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    patient: bool = False,
) -> bytes:
    """Run git to its end and return what it wrote; a `patient` one takes only the time that others leave.

    Raises `Failed` when it says no, `StorageFull`, `TooLong` when it takes longer than `timeout` seconds.
    """
    with subprocess.Popen(  # noqa: S603 - a program found once; no shell, and each argument is checked or an id
        command(repository, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(config), **(variables or {})},
        cwd=repository,
        pass_fds=tuple(inherit),
    ) as process:
        if patient:
            _be_patient(process)
        try:
            told, complaint = process.communicate(given, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise TooLong(f"git {arguments[0]} took longer than {timeout:.0f} seconds") from None
    if process.returncode and b"No space left on device" in complaint:
        raise StorageFull("there is no room for the repository to grow")
    if process.returncode:
        raise Failed(arguments[0], process.returncode, complaint, told)
    return told


def _be_patient(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICE)


@contextmanager
def conversation(repository: Path, *arguments: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Run git patiently and yield its input and its output, for who asks and reads in turn; it ends with the block."""
    with subprocess.Popen(  # noqa: S603 - as above
        command(repository, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        cwd=repository,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        _be_patient(process)
        try:
            yield process.stdin, process.stdout
        finally:
            process.kill()


@contextmanager
def output(repository: Path, *arguments: str) -> Iterator[Iterator[bytes]]:
    """Run git and yield what it writes in pieces; it is killed when the block ends before it does.

    Raises `Failed` behind the last piece when it was not the end of what git had to say.
    """
    process = subprocess.Popen(  # noqa: S603 - as above
        command(repository, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        cwd=repository,
    )
    try:
        yield _pieces(process, arguments[0])
    finally:
        process.kill()
        process.communicate()


def _pieces(process: subprocess.Popen[bytes], what: str) -> Iterator[bytes]:
    assert process.stdout is not None
    while piece := process.stdout.read(PIECE):
        yield piece
    if status := process.wait():
        raise Failed(what, status, b"")


class TooLong(Unavailable):
    """A git program was killed, as it took longer than it was given."""


class Failed(Exception):
    """A git program ended with an error; `text` is what it said, which may hold names of files, `told` its output."""

    def __init__(self, what: str, status: int, text: bytes, told: bytes = b"") -> None:
        super().__init__(f"git {what} ended with {status}")
        self.text = text.decode("utf-8", "replace").strip()
        self.told = told
