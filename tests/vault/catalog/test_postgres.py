import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from secrets import token_hex
from threading import Barrier, Event, Timer
from traceback import format_exception_only

import pytest

from tests.database_suite import ADD, TEST_TABLES, DatabaseSuite, add, names
from tests.postgres import needs_postgres, running
from tests.severed import COMMIT, Wire
from vault.catalog.postgres import PostgresDatabase
from vault.catalog.postgres_statements import translated
from vault.errors import Conflict, Invalid, Unavailable

pytestmark = needs_postgres


@pytest.fixture
def url(postgres):
    url = postgres.database(TEST_TABLES)
    yield url
    postgres.drop(url)


@pytest.fixture
def database(url):
    with closing(PostgresDatabase(url)) as database:
        yield database


class TestPostgresDatabase(DatabaseSuite):
    """PostgreSQL keeps the contract."""

    @pytest.fixture
    def database(self, url):
        with closing(PostgresDatabase(url)) as database:
            yield database


class TestStatements:
    """The catalog's SQL text is put as PostgreSQL wants it, and means the same."""

    @pytest.mark.parametrize(
        ("text", "engines", "names"),
        [
            ("SELECT :a, :b, :a", b"SELECT $1, $2, $1", ("a", "b")),
            ("SELECT ':a', \":b\", :c", b"SELECT ':a', \":b\", $1", ("c",)),
            ("SELECT 'it''s :a' || :b", b"SELECT 'it''s :a' || $1", ("b",)),
            ("SELECT :a::text", b"SELECT $1::text", ("a",)),
            ("SELECT 1 -- :a\n, :b /* :c\n:d */", b"SELECT 1 -- :a\n, $1 /* :c\n:d */", ("b",)),
            ("SELECT 50 % 7, '100%', :a", b"SELECT 50 % 7, '100%', $1", ("a",)),
            ("SELECT :long_name1", b"SELECT $1", ("long_name1",)),
        ],
    )
    def test_parameters_are_numbered_and_nothing_else_is_touched(self, text, engines, names):
        assert translated(text) == (engines, names)

    def test_conditions_and_sums_come_back_as_sqlite_gives_them(self, database):
        for number in (1, 2):
            database.write(lambda tx, number=number: tx.query("INSERT INTO things (number) VALUES (:n)", n=number))
        [row] = database.query("SELECT SUM(number) AS total, COUNT(*) > 1 AS several, AVG(number) AS mean FROM things")
        assert row == {"total": 3, "several": 1, "mean": 1.5}
        assert [type(value) for value in row.values()] == [int, int, float]

    def test_names_are_ordered_byte_by_byte_whatever_the_database_thinks(self, database):
        for name in ("b", "a", "B", "é", "z", "_"):
            add(database, name)
        rows = database.query("SELECT name FROM things ORDER BY name")
        assert [row["name"] for row in rows] == ["B", "_", "a", "b", "z", "é"]
        assert database.query("SELECT name FROM things WHERE name < 'a' ORDER BY name") == [
            {"name": "B"},
            {"name": "_"},
        ]

    def test_a_key_too_long_for_an_index_is_invalid(self, database):
        with pytest.raises(Invalid, match="too long"):
            add(database, token_hex(4000))
        assert names(database) == []

    def test_no_value_of_a_refused_row_is_told(self, database):
        add(database, "sesame")
        with pytest.raises(Conflict) as raised:
            add(database, "sesame")
        assert "sesame" not in str(raised.value)
        assert raised.value.__suppress_context__
        assert raised.value.__cause__ is None


class TestSeveral:
    """Works run at the same time, and those that meet give way."""

    def test_works_on_different_rows_do_not_wait_for_each_other(self, database):
        first, second = add(database, "a"), add(database, "b")

        def work(tx):
            tx.lock("things", first)
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(database.write, lambda other: other.lock("things", second)).result(20)

        database.write(work)

    def test_a_locked_row_may_be_referred_to(self, database):
        thing = add(database, "a")

        def work(tx):
            tx.lock("things", thing)
            part = "INSERT INTO parts (thing_id) VALUES (:thing)"
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(database.write, lambda other: other.query(part, thing=thing)).result(20)

        database.write(work)

    def test_of_two_works_in_a_deadlock_both_are_done(self, database):
        ids = [add(database, "a"), add(database, "b")]
        met = Barrier(2, timeout=20)
        runs = []

        def work(tx, order):
            runs.append(order)
            tx.lock("things", order[0])
            if len(runs) <= 2:
                met.wait()
            tx.lock("things", order[1])
            tx.query("INSERT INTO parts (thing_id) VALUES (:thing)", thing=order[0])

        with ThreadPoolExecutor(2) as pool:
            works = [pool.submit(database.write, partial(work, order=order)) for order in (ids, ids[::-1])]
            for each in works:
                each.result(30)
        assert database.query("SELECT COUNT(*) AS many FROM parts") == [{"many": 2}]
        assert len(runs) == 3

    def test_a_work_that_looked_before_another_took_the_key_looks_again(self, database):
        looks = []

        def work(tx):
            looks.append(tx.query("SELECT id FROM things WHERE name = 'a'"))
            if looks[-1]:
                raise KeyError
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(add, database, "a").result(20)
            tx.query(ADD, name="a", owner="me")

        with pytest.raises(KeyError):
            database.write(work)
        assert [len(found) for found in looks] == [0, 1]

    def test_any_number_may_migrate_at_once(self, postgres):
        url = postgres.database(None)

        def migrate(_):
            with closing(PostgresDatabase(url)) as database:
                database.migrate(TEST_TABLES)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(migrate, range(6)))
        applied = postgres.sql("SELECT count(*), count(DISTINCT name) FROM migrations", url.rpartition("/")[2])
        assert applied == [(len(TEST_TABLES), len(TEST_TABLES))]
        postgres.drop(url)

    def test_no_more_connections_are_opened_than_allowed(self, url, postgres):
        with closing(PostgresDatabase(url, connections=3)) as database, ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda n: add(database, str(n)), range(60)))
            here = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{url.rpartition('/')[2]}'"
            assert postgres.sql(here)[0][0] <= 3

    def test_who_waits_too_long_for_a_connection_is_told_that_it_is_busy(self, url):
        with closing(PostgresDatabase(url, connections=1, patience=0.1)) as database, ThreadPoolExecutor(1) as pool:

            def work(tx):
                with pytest.raises(Unavailable, match="busy"):
                    pool.submit(names, database).result(20)

            database.write(work)


class TestAway:
    """An engine that goes away fails what is asked meanwhile, loses nothing, and is found again."""

    @pytest.fixture
    def wire(self, postgres):
        with Wire(postgres.port) as wire:
            yield wire

    @pytest.fixture
    def far(self, url, wire):
        with closing(PostgresDatabase(wire.url(url))) as far:
            yield far

    @pytest.mark.parametrize("where", ["before", "after"])
    def test_a_commit_whose_answer_is_lost_is_kept_once(self, far, wire, where):
        cuts = iter([where])
        wire.cut = lambda piece: next(cuts, "") if COMMIT in piece else ""
        assert add(far, "a")
        assert next(cuts, None) is None
        assert names(far) == ["a"]

    def test_a_work_whose_connection_breaks_is_run_again(self, far, wire):
        cuts = iter(["before"])
        wire.cut = lambda piece: next(cuts, "") if b"INSERT" in piece else ""
        assert add(far, "a")
        assert names(far) == ["a"]

    def test_a_read_whose_connection_breaks_is_asked_again(self, far, wire):
        add(far, "a")
        cuts = iter(["after"])
        wire.cut = lambda piece: next(cuts, "")
        assert names(far) == ["a"]

    def test_connections_that_broke_while_nobody_used_them_are_replaced(self, far, wire):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: add(far, str(n)), range(16)))
            wire.drop()
            list(pool.map(lambda n: add(far, str(n)), range(16, 32)))
        assert len(names(far)) == 32

    def test_while_it_is_away_each_call_says_so_and_why(self, far, wire):
        add(far, "a")
        wire.refusing = True
        wire.drop()
        for call in (lambda: names(far), lambda: add(far, "b"), far.migrate):
            with pytest.raises(Unavailable, match=r"does not answer \(.*connection"):
                call()
        wire.refusing = False
        assert _in_time(lambda: names(far)) == ["a"]

    def test_a_commit_is_looked_up_until_the_engine_answers(self, far, wire):
        def cut(piece):
            if COMMIT not in piece or wire.refusing:
                return ""
            wire.refusing = True
            Timer(0.7, setattr, (wire, "refusing", False)).start()
            return "after"

        wire.cut = cut
        assert add(far, "a")
        assert names(far) == ["a"]

    def test_a_commit_that_cannot_be_looked_up_is_told_as_such(self, far, wire, monkeypatch):
        monkeypatch.setattr("vault.catalog.postgres_works.LOOKING_SECONDS", 0.3)

        def cut(piece):
            wire.refusing = wire.refusing or COMMIT in piece
            return "after" if wire.refusing else ""

        wire.cut = cut
        with pytest.raises(Unavailable):
            add(far, "a")
        wire.cut, wire.refusing = (lambda piece: ""), False
        assert _in_time(lambda: names(far)) == ["a"]

    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    def test_a_restart_loses_nothing_acknowledged_and_is_found_again(self, mode):
        with running(options=()) as server, closing(PostgresDatabase(server.url())) as database:
            database.migrate(TEST_TABLES)
            kept, refused, ended = [], [], Event()

            def write(lane):
                for number in itertools.count():
                    try:
                        kept.append(add(database, f"{lane}-{number}"))
                    except Unavailable as error:
                        refused.append(error)
                        ended.wait(0.02)
                    if ended.is_set():
                        return

            with ThreadPoolExecutor(4) as pool:
                lanes = [pool.submit(write, lane) for lane in range(4)]
                _until(lambda: len(kept) > 20)
                server.stop(mode)
                _until(lambda: refused)
                server.start()
                before = len(kept)
                _until(lambda: len(kept) > before + 20)
                ended.set()
                for lane in lanes:
                    lane.result(30)
            assert {row["id"] for row in database.query("SELECT id FROM things")} >= set(kept)

    def test_a_wrong_password_is_said_and_not_repeated(self, tmp_path):
        with running(authentication="scram-sha-256", password="open sesame") as server:
            wrong = server.url().replace("tests@", "tests:barley@")
            with closing(PostgresDatabase(wrong)) as database, pytest.raises(Unavailable) as raised:
                database.migrate()
            assert "password authentication failed" in str(raised.value)
            assert "barley" not in "".join([*format_exception_only(raised.value), repr(raised.value.__cause__)])
            right = server.url().replace("tests@", "tests:open%20sesame@")
            with closing(PostgresDatabase(right)) as database:
                database.migrate()

    def test_a_database_that_cannot_hold_every_name_is_refused(self, postgres):
        postgres.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        with closing(PostgresDatabase(postgres.url("latin"))) as database, pytest.raises(Unavailable, match="LATIN1"):
            database.migrate()


class TestDurability:
    """What is acknowledged is durable, whatever the database's owner set."""

    def test_a_commit_waits_for_the_disk_even_where_the_database_does_not(self, url, postgres):
        name = url.rpartition("/")[2]
        postgres.sql(f"ALTER DATABASE {name} SET synchronous_commit = off")
        with closing(PostgresDatabase(url)) as database:
            assert database.query("SELECT current_setting('synchronous_commit') AS it") == [{"it": "on"}]

    def test_a_work_that_its_process_never_ends_lets_go_of_its_locks(self, database):
        shown = "SELECT current_setting('idle_in_transaction_session_timeout') AS it"
        assert database.query(shown) == [{"it": "30s"}]


def _in_time(call):
    """Return what a call returns once the engine is back; it has 10 seconds for that."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return call()
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
