"""A real PostgreSQL of the tests' own: started once on a free port, with a database for each test that asks."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from vault.catalog.postgres import PostgresDatabase
from vault.catalog.schema import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vault.catalog.schema import Migration

LACKING = "needs a PostgreSQL (apt-get install postgresql)"
# Where Debian, Red Hat and Homebrew keep the programs that are not meant for everybody's PATH.
PLACES = ("/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb")
# The tests' data may go with the power.
HURRIED = ("-c", "fsync=off", "-c", "synchronous_commit=on", "-c", "full_page_writes=off", "-c", "max_connections=200")


@functools.cache
def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL on this machine; None when there is none."""
    found = [path for place in PLACES for path in sorted(Path("/").glob(place[1:]))]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path))
    return found[-1].parent if found else None


needs_postgres = [
    pytest.mark.engine("postgres"),
    pytest.mark.skipif(programs() is None, reason=LACKING),
]


def _as_somebody() -> dict[str, Any]:
    """Return what starts a program as another user where we are root, as whom PostgreSQL does not run."""
    if os.geteuid() != 0:
        return {}
    import pwd

    entry = next((each for each in pwd.getpwall() if each.pw_name == "postgres"), pwd.getpwnam("nobody"))
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class PostgresServer:
    """One server over a folder of its own, which `stop` leaves for another `start` on the same port."""

    def __init__(
        self, folder: Path, *, options: Sequence[str] = HURRIED, authentication: str = "trust", password: str = ""
    ) -> None:
        bin_folder = programs()
        assert bin_folder is not None, LACKING
        self._bin = bin_folder
        self._folder = folder
        self._options = options
        self._somebody = _as_somebody()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = itertools.count(1)
        self._templates: dict[tuple[str, ...], str] = {}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        if self._somebody:
            shutil.chown(folder, self._somebody["user"], self._somebody["group"])
        (folder / "password").write_text(password or "unused")
        (folder / "password").chmod(0o644)
        self._password = password
        kind = ("-A", authentication, "-U", "tests", "--pwfile", "password")
        self._run("initdb", "--no-sync", *kind, "-E", "UTF8", "--locale", "C.UTF-8", "-D", "data")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        subprocess.run(command, cwd=self._folder, check=True, capture_output=True, timeout=60, **self._somebody)

    def url(self, database: str = "postgres") -> str:
        """Return the address of one of its databases."""
        return f"postgresql://tests@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        command = [str(self._bin / "postgres"), "-D", "data", "-p", str(self.port), "-k", "", *self._options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log, **self._somebody)
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5, password=self._password or None).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < deadline, "PostgreSQL does not start"
                time.sleep(0.02)
            else:
                return

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` ends every session, `immediate` is a crash."""
        if self._process is not None:
            self._run("pg_ctl", "stop", "-D", "data", "-m", mode, "-w")
            self._process.wait(60)
            self._process = None

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement past the vault, as its owner."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def database(self, migrations: Sequence[Migration] | None = MIGRATIONS) -> str:
        """Return the address of a new database, migrated by copying one that is; empty when told `None`."""
        name = f"vault_{next(self._databases)}"
        template = "template0" if migrations is None else self._template(migrations)
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever still has connections to it."""
        self.sql(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def _template(self, migrations: Sequence[Migration]) -> str:
        key = tuple(migration.name for migration in migrations)
        if key not in self._templates:
            name = f"template_{len(self._templates)}"
            self.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
            database = PostgresDatabase(self.url(name))
            try:
                database.migrate(migrations)
            finally:
                database.close()
            self._templates[key] = name
        return self._templates[key]


@contextmanager
def running(**options: Any) -> Iterator[PostgresServer]:
    """Run a server in a folder that goes with it."""
    with ExitStack() as stack:
        # Not below pytest's own folder, which nobody but its owner may enter.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True)))
        server = PostgresServer(folder, **options)
        stack.callback(server.stop, "immediate")
        server.start()
        yield server
