"""Reading one file in this process. Meant for a child process: a hostile file may take this one with it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from parsers import registry
from parsers.interface import MAX_SIZE, Budget, Inspection, Unreadable
from parsers.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from parsers.interface import Metadata, Parser

_DEBUG_KEYSTORE = ("debug.keystore", "android")  # the password that Android's tools always give it
_SURPRISES = {MemoryError: "too_large", RecursionError: "malformed"}


def read_here(
    name: str, data: bytes, password: str | None = None, note: Callable[[str], None] | None = None
) -> Inspection:
    """Say what a file holds; never raises on account of the file.

    `note` is told the class of an exception that no parser should have let out: its text may quote the file.
    """
    if len(data) > MAX_SIZE:
        return Inspection(error="too_large")
    found = _read(name, data, password, note or _forget)
    if found.error == "password_missing" and PurePosixPath(name).name == _DEBUG_KEYSTORE[0] and password is None:
        return _read(name, data, _DEBUG_KEYSTORE[1], note or _forget)
    return found


def _read(name: str, data: bytes, password: str | None, note: Callable[[str], None]) -> Inspection:
    for parser in registry.likely(data, name):
        try:
            return _told(parser, parser.parse(data, password, Budget()))
        except Unreadable as reason:
            if reason.code != "unrecognized":
                return Inspection(parser.kind, error=reason.code)
        except Exception as surprise:  # noqa: BLE001 - hostile input finds every hole: the file is at fault
            note(f"{parser.kind}: {type(surprise).__name__}")
            return Inspection(parser.kind, error=_SURPRISES.get(type(surprise), "malformed"))
    return Inspection(error="unrecognized")


def _told(parser: Parser, found: Metadata) -> Inspection:
    fields = plain({**found.fields, "kind": parser.kind}, Budget())
    return Inspection(parser.kind, fields, found.expires_at)


def _forget(_: str) -> None:
    """Nobody wants to know."""
