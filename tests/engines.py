"""Where the vaults under test keep what they hold: files, unless `--engines` names something else.

`pytest --engines postgres,s3 tests/server tests/vault` runs the same tests over PostgreSQL and an S3 server: each data
folder is given a database of its own, a copy of one that is migrated already, and a part of a bucket. Tests of what
lies in a data folder's files are marked `files` and left out.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.postgres import PostgresServer
    from tests.s3 import S3

KNOWN = ("postgres", "s3")
files = pytest.mark.files


class Engines:
    """The engines of one run of the tests, each started when the first test needs it."""

    def __init__(self) -> None:
        self.chosen: Sequence[str] = ()
        self._running = ExitStack()
        self._postgres: PostgresServer | None = None
        self._s3: S3 | None = None
        self._settings: dict[Path, dict[str, Any]] = {}

    def choose(self, names: str) -> None:
        """Take the engines that the command line names. Raises `pytest.UsageError`."""
        self.chosen = tuple(filter(None, names.split(",")))
        if unknown := set(self.chosen) - set(KNOWN):
            raise pytest.UsageError(f"--engines knows {', '.join(KNOWN)}, not {', '.join(sorted(unknown))}")

    def postgres(self) -> PostgresServer:
        """Return the PostgreSQL that the tests of this run share."""
        if self._postgres is None:
            from tests.postgres import running

            self._postgres = self._running.enter_context(running())
        return self._postgres

    def s3(self) -> S3:
        """Return the S3 server that the tests of this run share."""
        from tests import s3

        if reason := s3.missing():
            pytest.skip(reason)
        if self._s3 is None and s3.GIVEN:
            self._s3 = s3.S3.given()
        if self._s3 is None:
            folder = Path(self._running.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            self._s3 = self._running.enter_context(s3.SeaweedFS(folder))
        return self._s3

    def settings(self, data: Path) -> dict[str, Any]:
        """Return the settings that keep somewhere else what would lie in the folder `data`: each time the same."""
        data = data.absolute()
        if data not in self._settings:
            catalog = {"database": self.postgres().database()} if "postgres" in self.chosen else {}
            self._settings[data] = {**catalog, **(self.s3().settings() if "s3" in self.chosen else {})}
        return self._settings[data]

    @contextmanager
    def catalog_in_postgres(self, data: Path) -> Iterator[None]:
        """Keep the catalog of the vault in `data` in PostgreSQL while the block runs, whatever the others have."""
        url = self.postgres().database()
        self._settings[data.absolute()] = {**self.settings(data), "database": url}
        yield
        self.postgres().drop(url)

    def catalog_url(self, data: Path) -> str:
        """Return the URL of the catalog of the vault in `data`."""
        return self.settings(data).get("database") or f"sqlite:{data / 'catalog.sqlite'}"

    def environment(self, argv: Sequence[str | Path], cwd: Path | None = None) -> dict[str, str]:
        """Return what a command is told of the vault in its `--data` by variables, as whoever starts it would."""
        words = [str(word) for word in argv]
        if not self.chosen or "--data" not in words[:-1]:
            return {}
        data = (cwd or Path()) / words[words.index("--data") + 1]
        settings = self.settings(data.absolute()) if "--database" not in words else {}
        return {f"SECURE_FILES_{name.upper()}": str(value) for name, value in settings.items()}

    def close(self) -> None:
        """Stop what was started."""
        self._running.close()


ENGINES = Engines()
