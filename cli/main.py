"""Runs the command line: the only place where an error becomes an exit code.

Results go to stdout; everything else goes to stderr with the program's name, in lower case, without a full stop.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cli import parser
from vault import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (errors.Invalid, 2),
    (errors.UnknownKey, 3),
    (errors.BadKeyring, 3),
    (errors.Busy, 4),
    (errors.VaultError, 5),
    (OSError, 5),
)


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    options = parser(list(argv)).parse_args(argv)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except tuple(kind for kind, _ in EXIT_CODES) as error:
        say(str(error))
        return next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    return status


def say(text: str) -> None:
    """Tell the person at the terminal something that is not the result."""
    print(f"secure-files: {text}", file=sys.stderr, flush=True)


def run() -> None:
    """Enter from the installed command."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
