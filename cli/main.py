"""Runs the command line: the only place where an error becomes an exit code.

Results go to stdout; everything else goes to stderr with the program's name, in lower case, without a full stop.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from cli import parser
from cli.tables import printable
from vault import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ExitCodes = tuple[tuple[type[Exception], int], ...]
EXIT_CODES: ExitCodes = (
    (errors.Invalid, 2),
    (errors.UnknownKey, 3),
    (errors.BadKeyring, 3),
    (errors.Busy, 4),
    (errors.VaultError, 5),
    (OSError, 5),
)
# What a shell says of a command that a signal ended: 128 and the signal's number.
KILLED_BY_INTERRUPT = 130
KILLED_BY_PIPE = 141


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    options = parser(list(argv)).parse_args(argv)
    return guarded(partial(options.run, options), options.exit_codes)


def guarded(work: Callable[[], int], own: ExitCodes = ()) -> int:
    """Run `work` and return its exit status, or that of its error, which is told."""
    status = KILLED_BY_PIPE
    try:
        status = work()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output went away (`| head`). What the command had found out by then stands.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return KILLED_BY_INTERRUPT
    except tuple(kind for kind, _ in EXIT_CODES) as error:
        say(_told(error))
        return status_of(error, own)
    return status


def status_of(error: Exception, own: ExitCodes = ()) -> int:
    """Return the exit status of an error; a command's `own` codes count before those of all commands."""
    return next(code for kind, code in (*own, *EXIT_CODES) if isinstance(error, kind))


def say(text: str) -> None:
    """Tell the person at the terminal something that is not the result."""
    with suppress(OSError):  # who closed stderr does not want to know
        sys.stdout.flush()  # in a file that takes both, what was said first stands first
        print(f"secure-files: {printable(text)}", file=sys.stderr, flush=True)


def _told(error: Exception) -> str:
    """Return an error's text; the system's errors without their number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def run() -> None:
    """Enter from the installed command."""
    # A name that the terminal's encoding lacks is shown as an escape; it is no reason to fail.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
