import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from os import umask
from pathlib import Path
from textwrap import dedent

import pytest

from tests.database_suite import ADD, TEST_TABLES, DatabaseSuite, add, names, occupied
from vault.catalog import open_catalog
from vault.catalog.schema import MIGRATIONS
from vault.catalog.sqlite import SqliteDatabase
from vault.catalog.sqlite_writer import MOST_AT_ONCE, exclusive
from vault.errors import Conflict, Damaged, StorageFull, Unavailable

ROOT = Path(__file__).parents[3]  # for the processes that import this package's helpers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalog.db"


@pytest.fixture
def database(path):
    with closing(SqliteDatabase(path)) as database:
        database.migrate(TEST_TABLES)
        yield database


def commits(path):
    """Count the commits in the write-ahead log: frames that carry the size of the database after them.

    The form is https://www.sqlite.org/fileformat2.html#walformat; a log that was not yet begun anew is assumed.
    """
    log = path.with_name(path.name + "-wal").read_bytes()
    page_size, salt = struct.unpack_from(">8xI4x8s", log)
    frames = (struct.unpack_from(">4xI8s", log, at) for at in range(32, len(log), 24 + page_size))
    return sum(1 for size_after, frame_salt in frames if size_after and frame_salt == salt)


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


class TestSqliteDatabase(DatabaseSuite):
    """SQLite keeps the contract."""

    @pytest.fixture
    def database(self, path):
        with closing(SqliteDatabase(path)) as database:
            database.migrate(TEST_TABLES)
            yield database


class TestOpenCatalog:
    """A URL decides which engine is used."""

    @pytest.mark.parametrize("form", ["sqlite://{}/a%20b.db", "sqlite:{}/a b.db", "SQLite:{}/a b.db"])
    def test_sqlite_is_named_by_url_or_by_path(self, tmp_path, form):
        with closing(open_catalog(form.format(tmp_path))) as database:
            assert not (tmp_path / "a b.db").exists()
            database.migrate()
        assert (tmp_path / "a b.db").exists()

    def test_a_path_is_taken_letter_for_letter(self, tmp_path):
        with closing(open_catalog(f"sqlite:{tmp_path}/100%25?mode=ro#.db")) as database:
            database.migrate()
            assert database.query("SELECT * FROM instance") == []
        assert (tmp_path / "100%25?mode=ro#.db").exists()

    @pytest.mark.parametrize("url", ["mysql://u:sesame@host/db", "/just/a/path", ""])
    def test_anything_else_is_answered_with_what_is_known(self, url):
        with pytest.raises(ValueError, match="sqlite:///") as raised:
            open_catalog(url)
        assert "sesame" not in str(raised.value)

    @pytest.mark.parametrize(
        "url", ["sqlite:", "sqlite::memory:", "sqlite://host/x", "sqlite://", "sqlite:///x?mode=ro"]
    )
    def test_a_catalog_is_a_file_of_this_machine(self, url):
        with pytest.raises(ValueError, match="file"):
            open_catalog(url)


class TestFile:
    """The file, who may look at it, and what is left in it."""

    @pytest.mark.parametrize("mask", [0, 0o077, 0o777])
    def test_everything_is_for_the_owner_alone_whatever_the_umask(self, tmp_path, mask):
        before = umask(mask)
        try:
            with closing(SqliteDatabase(tmp_path / "new.db")) as database:
                database.migrate(TEST_TABLES)
                add(database, "a")
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        finally:
            umask(before)
        assert modes == dict.fromkeys(("new.db", "new.db-wal", "new.db-shm", "new.db.writer-lock"), 0o600)

    def test_only_migrating_makes_a_catalog(self, path):
        with closing(SqliteDatabase(path)) as database:
            with pytest.raises(Unavailable):
                database.query("SELECT 1 AS one")
            with pytest.raises(Unavailable):
                database.write(lambda tx: None)
        assert not path.exists()

    def test_a_folder_that_is_not_there_is_reported(self, tmp_path):
        with closing(SqliteDatabase(tmp_path / "absent" / "catalog.db")) as database, pytest.raises(Unavailable):
            database.migrate()

    def test_a_file_that_is_no_database_is_damaged(self, path):
        path.write_bytes(b"this is not a database" * 100)
        with closing(SqliteDatabase(path)) as database, pytest.raises(Damaged):
            database.migrate()

    def test_what_is_deleted_is_overwritten(self, database, path):
        marker = b"wrapped data key " * 1000
        database.write(lambda tx: tx.query("INSERT INTO things (data) VALUES (:data)", data=marker))
        database.checkpoint()
        assert marker[:17] in path.read_bytes()
        database.write(lambda tx: tx.query("DELETE FROM things"))
        database.checkpoint()
        assert marker[:17] not in path.read_bytes()
        assert path.with_name("catalog.db-wal").stat().st_size == 0

    def test_closing_leaves_one_whole_file(self, database, path):
        add(database, "a")
        names(database)
        database.close()
        assert not path.with_name("catalog.db-wal").exists()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT name FROM things").fetchall() == [("a",)]
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_commits_are_synced_to_the_disk(self, database):
        def settings(tx):
            return [tx.query(f"PRAGMA {name}")[0][name] for name in ("synchronous", "journal_mode", "foreign_keys")]

        assert database.write(settings) == [2, "wal", 1]

    def test_a_backup_is_the_catalog_of_that_moment(self, database, tmp_path):
        add(database, "a")
        copy = tmp_path / "copy's.db"
        database.backup_to(copy)
        add(database, "b")
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        with closing(SqliteDatabase(copy)) as restored:
            restored.migrate(TEST_TABLES)
            assert names(restored) == ["a"]

    def test_a_backup_never_replaces_a_file(self, database, tmp_path):
        (tmp_path / "mine").write_text("precious")
        with pytest.raises(FileExistsError):
            database.backup_to(tmp_path / "mine")
        assert (tmp_path / "mine").read_text() == "precious"

    def test_a_backup_that_fails_leaves_no_file(self, tmp_path):
        with closing(SqliteDatabase(tmp_path / "absent.db")) as database, pytest.raises(Unavailable):
            database.backup_to(tmp_path / "copy.db")
        assert list(tmp_path.iterdir()) == []


class TestGroupCommit:
    """Works that wait share a commit."""

    def test_works_that_wait_together_need_few_commits(self, database, path):
        database.checkpoint()
        with occupied(database):
            futures = [database.submit(lambda tx, n=n: tx.query(ADD, name=str(n), owner="me")) for n in range(32)]
        for future in futures:
            future.result(20)
        assert len(names(database)) == 32
        assert commits(path) == 1

    def test_works_that_come_one_by_one_are_committed_one_by_one(self, database, path):
        database.checkpoint()
        for number in range(5):
            add(database, str(number))
        assert commits(path) == 5

    def test_a_group_has_a_limit(self, database, path):
        database.checkpoint()
        with occupied(database):
            many = range(2 * MOST_AT_ONCE)
            futures = [database.submit(lambda tx, n=n: tx.query(ADD, name=str(n), owner="me")) for n in many]
        for future in futures:
            future.result(20)
        assert commits(path) == 2

    def test_no_thread_and_no_open_file_come_before_they_are_needed(self, path):
        before = threading.active_count()
        with closing(SqliteDatabase(path)) as database:
            database.migrate(TEST_TABLES)
            assert not path.with_name("catalog.db-wal").exists()
            names(database)
            assert threading.active_count() == before
            add(database, "a")
            assert threading.active_count() == before + 1
        assert threading.active_count() == before

    def test_a_reader_in_use_when_the_database_closes_ends_well(self, database, path):
        slow = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT SUM(i) AS s FROM n"
        )
        with ThreadPoolExecutor(4) as pool:
            readings = [pool.submit(database.query, slow) for _ in range(4)]
            while not path.with_name("catalog.db-wal").exists():  # until the first of them has opened the file
                time.sleep(0.001)
            database.close()
        outcomes = [reading.exception() or reading.result() for reading in readings]
        assert all(outcome == [{"s": 45000150000}] or isinstance(outcome, Unavailable) for outcome in outcomes)
        assert not path.with_name("catalog.db-wal").exists()


class TestRefusedByTheDisk:
    """A full or busy disk refuses works; the catalog goes on."""

    @pytest.fixture
    def room_for(self, database):
        def limit(pages):
            def work(tx):
                used = tx.query("PRAGMA page_count")[0]["page_count"]
                tx.query(f"PRAGMA max_page_count = {used + pages}")

            database.write(work)

        return limit

    def test_a_work_that_does_not_fit_is_told_that_the_storage_is_full(self, database, room_for):
        add(database, "before")
        room_for(5)
        with pytest.raises(StorageFull):
            database.write(lambda tx: tx.query("INSERT INTO things (data) VALUES (:data)", data=bytes(1 << 20)))
        assert names(database) == ["before"]
        add(database, "small enough")
        room_for(10_000)
        database.write(lambda tx: tx.query("INSERT INTO things (data) VALUES (:data)", data=bytes(1 << 20)))

    def test_its_neighbours_in_the_same_commit_still_land(self, database, room_for):
        room_for(5)
        with occupied(database):
            before = database.submit(lambda tx: tx.query(ADD, name="before", owner="me"))
            large = database.submit(lambda tx: tx.query("INSERT INTO things (data) VALUES (:d)", d=bytes(1 << 20)))
            after = database.submit(lambda tx: tx.query("DELETE FROM things WHERE name = 'before' RETURNING id"))
        with pytest.raises(StorageFull):
            large.result(20)
        assert before.result(20) == after.result(20)
        assert names(database) == []

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

    def test_when_a_transaction_ends_under_its_works_each_caller_gets_an_error_of_its_own(self, database):
        add(database, "before")
        with occupied(database):
            futures = [database.submit(lambda tx: tx.query(ADD, name="lost", owner="me"))]
            futures += [database.submit(lambda tx: tx.query("ROLLBACK")) for _ in range(3)]
        errors = [future.exception(20) for future in futures]
        assert {type(error) for error in errors} == {Unavailable}
        assert len({id(error) for error in errors}) == 4
        add(database, "after")
        assert names(database) == ["before", "after"]

    def test_a_work_that_ends_its_own_savepoint_spoils_its_commit_and_no_later_one(self, database):
        with pytest.raises(sqlite3.OperationalError):
            database.write(lambda tx: tx.query("RELEASE work"))
        add(database, "after")
        assert names(database) == ["after"]

    def test_a_program_that_keeps_the_file_locked_makes_writes_unavailable(self, path):
        with closing(SqliteDatabase(path, busy_timeout=0.05)) as database:
            database.migrate(TEST_TABLES)
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(Unavailable, match="locked"):
                    add(database, "refused")
                assert names(database) == []
            add(database, "taken")
            assert names(database) == ["taken"]

    def test_a_lock_that_cannot_be_taken_makes_writes_unavailable(self, database, path):
        lock_file = path.with_name("catalog.db.writer-lock")
        lock_file.unlink()
        lock_file.mkdir()
        with pytest.raises(Unavailable, match="lock"):
            add(database, "refused")
        lock_file.rmdir()
        add(database, "taken")
        assert names(database) == ["taken"]

    def test_a_writer_elsewhere_that_hangs_does_not_hang_us(self, path):
        with closing(SqliteDatabase(path, patience=0.05)) as database:
            database.migrate(TEST_TABLES)
            with exclusive(path.with_name("catalog.db.writer-lock")):
                with pytest.raises(Unavailable, match="busy"):
                    add(database, "given up")
                assert names(database) == []
            with closing(SqliteDatabase(path)) as patient:
                add(patient, "served")
            assert names(database) == ["served"]


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

    def test_a_program_that_is_too_old_says_so(self, database):
        with pytest.raises(Conflict, match="test_tables is unknown here"):
            database.migrate(MIGRATIONS)
