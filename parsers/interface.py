"""What a parser is: something that says what a signing file holds, or a code for why it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]

HEAD = 4096
"""Bytes that a parser says by how sure it is."""
MAX_SIZE = 20 * 1024 * 1024
"""Bytes of a file that anyone looks at; signing files are a thousandth of it."""


class Unreadable(Exception):
    """The file cannot be read by this parser. `code` is one of the reason codes in `docs/parsers.md`.

    `unrecognized` is special: the next likely parser is asked. Every other code is the answer.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Inspection:
    """What was found in one file, ready for a reply: JSON values only, never key material or a password.

    `metadata` is GitLab's object (see `docs/parsers.md`) or None; `expires_at` is `YYYY-MM-DDTHH:MM:SS.000Z` or None;
    `error` is a reason code, or None when the file was read; `kind` is the parser's name, or None.
    `error` "queued" means that nobody has looked at the file yet: ask again later.
    """

    kind: str | None = None
    metadata: Json | None = None
    expires_at: str | None = None
    error: str | None = None


@dataclass
class Budget:
    """What one reading may cost and return.

    `iterations`: rounds of key derivation, the sum over the file; `entries`: how many of a keystore are listed;
    `text`: characters of one value; `depth`: nesting of the result; `reply`: bytes of the result as JSON.
    """

    iterations: int = 10_000_000
    entries: int = 500
    text: int = 64 * 1024
    depth: int = 20
    reply: int = 1_500_000

    def afford(self, iterations: int) -> None:
        """Raise `Unreadable("work_factor_too_high")` when so many rounds are beyond the budget; run none of them."""
        if iterations > self.iterations:
            raise Unreadable("work_factor_too_high")


@dataclass(frozen=True)
class Metadata:
    """What a parser found: `fields` becomes the reply's `metadata`, `expires_at` stands beside it too.

    `fields` may hold text, numbers, booleans, None, lists, dicts, bytes and datetimes; the reading makes JSON of it
    and adds `kind`.
    """

    fields: Json
    expires_at: str | None = None


class Parser(Protocol):
    """A plugin for one kind of file. Runs in a child process, on hostile input."""

    kind: str

    def sniff(self, head: bytes, name: str, /) -> int:
        """Say how sure this parser is, 0 (no) to 100, from the first 4 KiB; the name adds at most 10."""

    def parse(self, data: bytes, password: str | None, budget: Budget, /) -> Metadata:
        """Read the whole file. Raises `Unreadable`."""
