"""What a parser is: something that says what a signing file holds, or a code for why it cannot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]


class Unreadable(Exception):  # noqa: N818 - reads as the sentence it is
    """The file cannot be read by this parser. `code` is one of the reason codes in `docs/api.md`.

    `unrecognized`, `malformed`, `truncated`, `password_missing`, `password_wrong`, `work_factor_too_high`,
    `timeout`, `too_large`, `unsupported`, `encrypted_elsewhere`, `queued`.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Inspection:
    """What was found in one file, ready for a reply: JSON values only, never key material or a password.

    `metadata` is GitLab's object (see `docs/api.md`) or None; `expires_at` is `YYYY-MM-DDTHH:MM:SS.000Z` or None;
    `error` is a reason code, or None when the file was read; `kind` is the parser's name, or None.
    """

    kind: str | None = None
    metadata: Json | None = None
    expires_at: str | None = None
    error: str | None = None


@dataclass
class Budget:
    """What one reading may cost: iterations of a key derivation, entries, text per name."""

    iterations: int = 10_000_000
    entries: int = 500
    text: int = 64 * 1024
    depth: int = 20


@dataclass(frozen=True)
class Metadata:
    """What a parser found: `fields` becomes the reply's `metadata`, `expires_at` stands beside it too."""

    fields: Json | None = None
    expires_at: str | None = None
    notes: Json = field(default_factory=dict)


class Parser(Protocol):
    """A plugin for one kind of file. Runs in a child process, on hostile input."""

    kind: str

    def sniff(self, head: bytes, name: str) -> int:
        """Say how sure this parser is, 0 (no) to 100, from the first 4 KiB; the name adds at most 10."""

    def parse(self, data: bytes, password: str | None, budget: Budget) -> Metadata:
        """Read the whole file. Raises `Unreadable`."""
