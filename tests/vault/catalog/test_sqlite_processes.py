import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest

from tests.database_suite import TEST_TABLES, add, names
from vault.catalog.sqlite import SqliteDatabase

ROOT = Path(__file__).parents[3]  # for the processes that import this package's helpers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalog.db"


@pytest.fixture
def database(path):
    with closing(SqliteDatabase(path)) as database:
        database.migrate(TEST_TABLES)
        yield database


def start_python(script, *arguments):
    header = (
        "import sys\nfrom pathlib import Path\nfrom vault.catalog.sqlite import SqliteDatabase\n"
        "from vault.errors import *\nfrom tests.database_suite import *\npath = Path(sys.argv[1])\n"
    )
    command = [sys.executable, "-c", header + dedent(script), *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def finished(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


class TestSeveralProcesses:
    """Processes share the file as threads share the writer."""

    def test_all_that_they_write_lands(self, database, path):
        script = """
            database = SqliteDatabase(path)
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda n: add(database, str(n), owner=sys.argv[2]), range(50)))
            database.close()
            """
        for process in [start_python(script, path, owner) for owner in "abc"]:
            finished(process)
        rows = database.query("SELECT owner, COUNT(*) AS many FROM things GROUP BY owner ORDER BY owner")
        assert rows == [{"owner": owner, "many": 50} for owner in "abc"]

    def test_what_was_acknowledged_survives_a_kill(self, database, path):
        script = """
            database = SqliteDatabase(path)
            for number in range(10_000_000):
                add(database, str(number))
                print(number, flush=True)
            """
        process = start_python(script, path)
        acknowledged = [process.stdout.readline().strip() for _ in range(50)]
        process.kill()
        acknowledged += process.communicate(timeout=60)[0].split()
        assert process.returncode == -signal.SIGKILL
        kept = names(database)
        assert len(acknowledged) >= 50
        assert kept[: len(acknowledged)] == acknowledged
        add(database, "next")

    def test_any_number_may_migrate_at_once(self, path):
        script = """
            columns = [Migration(f"column_{n}", (f"ALTER TABLE things ADD COLUMN c{n} {{INT}}",)) for n in range(20)]
            database = SqliteDatabase(path)
            print("ready", flush=True)
            sys.stdin.readline()
            database.migrate((*TEST_TABLES, *columns))
            add(database, sys.argv[2])
            database.close()
            """
        processes = [start_python(script, path, owner) for owner in "abcd"]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            finished(process)
        with closing(SqliteDatabase(path)) as database:
            assert sorted(names(database)) == ["a", "b", "c", "d"]
            applied = database.query("SELECT name FROM _sqlite_migrations")
        assert len(applied) == len({row["name"] for row in applied}) == len(TEST_TABLES) + 20

    def test_a_commit_that_the_disk_refuses_keeps_nothing_and_the_next_one_works(self, path):
        script = """
            import resource
            database = SqliteDatabase(path)
            database.migrate(TEST_TABLES)
            add(database, "before")
            size = path.with_name("catalog.db-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50_000, resource.RLIM_INFINITY))
            with occupied(database):
                large = database.submit(lambda tx: tx.query("INSERT INTO things (data) VALUES (:d)", d=bytes(200_000)))
                beside = database.submit(lambda tx: tx.query(ADD, name="beside", owner="me"))
            print(type(large.exception()).__name__, type(beside.exception()).__name__, names(database))
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            add(database, "after")
            print(names(database))
            database.close()
            """
        assert finished(start_python(script, path)).splitlines() == [
            "Unavailable Unavailable ['before']",
            "['before', 'after']",
        ]
