"""What the vault remembers: the SQL of each subject, over an engine that is chosen by URL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from vault.ballast import Ballast

if TYPE_CHECKING:
    from vault.catalog.database import Database

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def open_catalog(url: str, *, ballast: bool = False, connections: int = 8) -> Database:
    """Return the engine that `url` names.

    That is `sqlite:///file` as a URL, `sqlite:` and a path, letter for letter, or `postgresql://…` as libpq reads it.
    With `ballast` some room is kept back beside a catalog in a file, for deleting on a full disk; `connections` is how
    many a process may have to an engine that is a server. Nothing is read or made before the first call. Raises
    `ValueError` for anything else, and when the engine's library is not installed.
    """
    found = _SCHEME.match(url)
    match found[1].lower() if found else "":
        case "sqlite":
            # Imported here: an engine that is not chosen need not be installed.
            from vault.catalog.sqlite import SqliteDatabase  # noqa: PLC0415

            file = _file(url)
            return SqliteDatabase(file, ballast=Ballast(file.with_name(f"{file.name}.ballast")) if ballast else None)
        case "postgresql" | "postgres":
            return _postgres(url, connections)
        case unknown:
            # Only the scheme is repeated: the rest of such a URL may hold a password.
            raise ValueError(
                f"unknown database {unknown!r}: known are sqlite:///file, sqlite:PATH and postgresql://host/database"
            )


def _postgres(url: str, connections: int) -> Database:
    try:
        from vault.catalog.postgres import PostgresDatabase  # noqa: PLC0415
    except ImportError as error:
        raise ValueError("PostgreSQL needs more than is installed: pip install 'secure-files-vault[scale]'") from error
    return PostgresDatabase(url, connections=connections)


def _file(url: str) -> Path:
    rest = url.partition(":")[2]
    if not rest.startswith("//"):
        path = Path(rest)
        if rest in {"", ":memory:"}:
            raise ValueError("the catalog needs a file: sqlite:///file or sqlite:PATH")
        return path
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc not in {"", "localhost"} or not path.is_absolute() or parts.query or parts.fragment:
        raise ValueError("a sqlite URL names a file of this machine by its whole path: sqlite:///file")
    return path
