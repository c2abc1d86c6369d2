"""Children read the files: what they may, what they cost, how they end. The plugins here are the hostile ones."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from parsers import Pool, frames, inspect, isolated, registry
from parsers.interface import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CORPUS = Path(__file__).parent / "corpus"
CERTIFICATE = (CORPUS / "plain.cer").read_bytes()
PLUGINS = '''
import os, resource, sys, time
from parsers.interface import Metadata, Unreadable

class _Plugin:
    kind = ""
    def sniff(self, head, name):
        return 100 if head.startswith(self.kind.encode() + b"!") else 0

class Spy(_Plugin):
    """Tells what a child can see."""
    kind = "spy"
    def parse(self, data, password, budget):
        names = ("AS", "NOFILE", "FSIZE", "CORE")
        limits = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in names}
        return Metadata({
            "environment": dict(os.environ), "arguments": sys.argv, "descriptors": os.listdir("/proc/self/fd"),
            "limits": limits, "password": password, "sockets": [
                fd for fd in os.listdir("/proc/self/fd")
                if os.path.exists("/proc/self/fd/" + fd) and "socket" in os.readlink("/proc/self/fd/" + fd)],
        })

class Sleeper(_Plugin):
    kind = "sleep"
    def parse(self, data, password, budget):
        time.sleep(float(data.partition(b"!")[2]))
        return Metadata({})

class Spinner(_Plugin):
    kind = "spin"
    def parse(self, data, password, budget):
        while True:
            pass

class Glutton(_Plugin):
    kind = "eat"
    def parse(self, data, password, budget):
        return Metadata({"eaten": len(bytearray(1 << 30))})

class Quitter(_Plugin):
    kind = "quit"
    def parse(self, data, password, budget):
        os._exit(0)

class Babbler(_Plugin):
    kind = "babble"
    def parse(self, data, password, budget):
        print("x" * 100_000)
        os.write(1, b"rubbish" * 1000)
        return Metadata({"id": "7"})

class Writer(_Plugin):
    kind = "write"
    def parse(self, data, password, budget):
        with open(data.partition(b"!")[2].decode(), "w") as out:
            out.write("stolen")
        return Metadata({})

class Raiser(_Plugin):
    kind = "raise"
    def parse(self, data, password, budget):
        raise KeyError("the secret is " + repr(data))

class Stranger(_Plugin):
    kind = "strange"
    def parse(self, data, password, budget):
        return Metadata({"what": object()})

class Dreamer(_Plugin):
    kind = "dream"
    def parse(self, data, password, budget):
        return Metadata({}, expires_at=data.partition(b"!")[2].decode())

class Misfit(_Plugin):
    kind = "misfit"
    def sniff(self, head, name):
        raise ValueError(head)

class NoParser:
    pass
'''
ENTRY_POINTS = """
[secure_files.parsers]
spy = hostile:Spy
sleep = hostile:Sleeper
spin = hostile:Spinner
eat = hostile:Glutton
quit = hostile:Quitter
babble = hostile:Babbler
write = hostile:Writer
raise = hostile:Raiser
strange = hostile:Stranger
dream = hostile:Dreamer
misfit = hostile:Misfit
no_parser = hostile:NoParser
missing = hostile_but_missing:Parser
"""


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed distribution of plugins."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "hostile.py").write_text(PLUGINS)
    info = folder / "hostile-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


@pytest.fixture
def make_pool(plugins: Path) -> Iterator[Callable[..., Pool]]:
    """Make pools that have the plugins; all are closed in the end."""
    made: list[Pool] = []

    def make(workers: int = 1, *, plugin_folders: Sequence[Path] = (plugins,), **options: Any) -> Pool:
        made.append(Pool(workers, plugin_folders=plugin_folders, **options))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _ended(pid: int) -> bool:
    """Tell whether a process has stopped running; its parent need not have asked for its status yet."""
    return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"


def _children() -> set[int]:
    """Return the ids of the processes that this one has started, those that ended and were not waited for included."""
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def _at_the_end_of_its_share(make_pool: Callable[..., Pool]) -> tuple[Pool, int, int]:
    """Return a pool whose only child has had its share of files, that child, and the next one, which is starting."""
    others = _children()
    pool = make_pool(workers=1, files_per_child=3)
    for _ in range(3):
        pool.inspect("x.cer", CERTIFICATE)
    (serving,) = pool.processes
    (following,) = _children() - others - {serving}
    return pool, serving, following


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


class TestALargeFile:
    def test_that_is_only_looked_at_counts_for_a_childs_share(self, make_pool: Callable[..., Pool]) -> None:
        pool = make_pool(files_per_child=2)
        seen: set[int] = set()

        def third_came() -> bool:
            pool.sift("x.bin", b"\xff" * HEAD)
            seen.update(pool.processes)
            return len(seen) >= 3

        assert _within(20, third_came)

    def test_that_a_plugin_knows_by_its_first_bytes_is_handed_over(self, make_pool: Callable[..., Pool]) -> None:
        found = make_pool().inspect("x", b"spy!" + bytes(1_000_000))
        assert found.kind == "spy"

    def test_that_nobody_knows_is_not(self, make_pool: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch) -> None:
        handed = []
        send = frames.send

        def note(fd: int, header: dict[str, Any], body: bytes = b"", *, until: float | None = None) -> None:
            handed.append(len(body))
            send(fd, header, body, until=until)

        monkeypatch.setattr(frames, "send", note)
        assert make_pool().inspect("x.bin", b"\xff" * 1_000_000).error == "unrecognized"
        assert handed == [HEAD]


class TestAFileThatNobodyKnows:
    def test_is_no_childs_business(self, make_pool: Callable[..., Pool]) -> None:
        pool = make_pool(plugin_folders=())
        pool.inspect("x.cer", CERTIFICATE)
        (child,) = pool.processes
        os.kill(child, signal.SIGSTOP)

        assert pool.inspect("x.bin", b"\xff" * 3000).error == "unrecognized"
        assert pool.sift("x.bin", b"\xff" * HEAD) is not None
        assert pool.processes == [child], "it did not answer, and was not missed"

    def test_is_a_plugins_where_there_are_some(self, make_pool: Callable[..., Pool]) -> None:
        pool = make_pool()
        pool.inspect("x.cer", CERTIFICATE)

        assert pool.inspect("x.bin", b"spy!").kind == "spy"

    def test_is_told_apart_as_a_child_does(self, make_pool: Callable[..., Pool]) -> None:
        asking = make_pool(files_per_child=100_000)
        known = 0
        for path in sorted(path for path in CORPUS.iterdir() if path.is_file()):
            head = path.read_bytes()[:HEAD]
            for cut in (0, 20, len(head)):
                broken = head[:cut] + b"\xff\x00-----BEGIN {" + head[cut:]
                told = asking.sift(path.name, broken[:HEAD])
                known += told is None
                assert registry.unfamiliar(broken, path.name) is (told is not None), path.name
        assert known > 100


class TestWhatAChildHas:
    def test_nothing_of_the_servers(self, make_pool: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch) -> None:
        """No environment, no socket, no password on the command line, few descriptors."""
        monkeypatch.setenv("SECURE_FILES_ROOT_TOKEN", "top-secret")
        with socket.socket() as listening:
            listening.set_inheritable(True)
            found = make_pool().inspect("x", b"spy!", "open sesame")

        assert found.metadata is not None
        assert "top-secret" not in repr(found)
        assert set(found.metadata["environment"]) <= {"LC_CTYPE"}  # Python sets this one itself
        assert found.metadata["sockets"] == []
        assert len(found.metadata["descriptors"]) <= 8
        assert "open sesame" not in repr(found.metadata["arguments"])
        assert found.metadata["password"] == "open sesame"

    def test_limits_that_it_cannot_raise(self, make_pool: Callable[..., Pool]) -> None:
        """Memory, open files, file size, core dumps."""
        found = make_pool().inspect("x", b"spy!")

        assert found.metadata is not None
        assert found.metadata["limits"] == {
            "AS": [512 * 1024 * 1024] * 2,
            "NOFILE": [16, 16],
            "FSIZE": [0, 0],
            "CORE": [0, 0],
        }

    def test_no_way_to_write_a_file(self, make_pool: Callable[..., Pool], tmp_path: Path) -> None:
        """A file may be made, but nothing gets into it."""
        found = make_pool().inspect("x", b"write!" + str(tmp_path / "loot").encode())

        assert found.error == "malformed"
        assert not (tmp_path / "loot").exists() or (tmp_path / "loot").read_bytes() == b""


class TestWhatAFileMayCost:
    @pytest.mark.parametrize("bad", [b"spin!", b"sleep!60"])
    def test_a_file_beyond_the_deadline_is_timed_out(self, make_pool: Callable[..., Pool], bad: bytes) -> None:
        """The child is killed, the next file finds another one."""
        pool = make_pool(deadline=0.5)
        pool.inspect("x.cer", CERTIFICATE)
        started, before = time.monotonic(), pool.processes

        found = pool.inspect("x", bad)

        assert found.error == "timeout"
        assert time.monotonic() - started < 2
        assert _within(2, lambda: all(map(_gone, before)))
        assert pool.inspect("x.cer", CERTIFICATE).error is None

    def test_a_file_that_ends_its_child_is_malformed(self, make_pool: Callable[..., Pool]) -> None:
        """And only that file."""
        pool = make_pool()

        assert pool.inspect("x", b"quit!").error == "malformed"
        assert pool.inspect("x.cer", CERTIFICATE).error is None

    def test_a_file_that_wants_more_memory_than_there_is_is_too_large(self, make_pool: Callable[..., Pool]) -> None:
        """One gigabyte is refused; the child goes on."""
        pool = make_pool()
        pool.inspect("x.cer", CERTIFICATE)
        before = pool.processes

        assert pool.inspect("x", b"eat!").error == "too_large"
        assert pool.inspect("x.cer", CERTIFICATE).error is None
        assert pool.processes == before

    def test_hundreds_of_files_do_not_use_up_a_child(self, make_pool: Callable[..., Pool]) -> None:
        """The limit on processor time is a file's, not a life's."""
        pool = make_pool()
        slow = (CORPUS / "openssl_rounds_600000.p12").read_bytes()

        assert {pool.inspect("x.p12", slow, "secret").error for _ in range(12)} == {None}
        assert len(set(pool.processes)) == 1

    def test_a_child_is_replaced_after_its_share_of_files(self, make_pool: Callable[..., Pool]) -> None:
        """So that nothing can gather in it."""
        pool = make_pool(files_per_child=3)
        seen: set[int] = set()

        def third_came() -> bool:
            assert pool.inspect("x.cer", CERTIFICATE).error is None
            seen.update(pool.processes)
            return len(seen) >= 3

        assert _within(20, third_came)

    def test_the_next_child_is_waited_for_by_nobody(self, make_pool: Callable[..., Pool]) -> None:
        """The last one goes on until it answers."""
        pool, serving, following = _at_the_end_of_its_share(make_pool)
        os.kill(following, signal.SIGSTOP)
        for _ in range(20):
            assert pool.inspect("x.cer", CERTIFICATE).error is None
        assert pool.processes == [serving]

        os.kill(following, signal.SIGCONT)
        assert _within(20, lambda: pool.inspect("x.cer", CERTIFICATE).error is None and pool.processes == [following])
        assert _within(5, lambda: serving not in _children()), "the last one has gone, and was waited for"

    def test_one_that_died_before_it_was_ready_is_made_anew(self, make_pool: Callable[..., Pool]) -> None:
        pool, serving, following = _at_the_end_of_its_share(make_pool)
        os.kill(following, signal.SIGKILL)
        assert _within(5, lambda: _ended(following))

        def replaced() -> bool:
            return pool.inspect("x.cer", CERTIFICATE).error is None and pool.processes not in ([serving], [following])

        assert _within(20, replaced)

    def test_a_child_that_was_killed_in_between_costs_no_file(self, make_pool: Callable[..., Pool]) -> None:
        """An administrator or the kernel may do that at any time."""
        pool = make_pool()
        pool.inspect("x.cer", CERTIFICATE)
        child = pool.processes[0]
        os.kill(child, signal.SIGKILL)
        assert _within(5, lambda: _ended(child))

        assert pool.inspect("x.cer", CERTIFICATE).error is None


class TestTheQueue:
    def test_who_waits_too_long_is_queued(self, make_pool: Callable[..., Pool]) -> None:
        """The caller stores the file and asks again."""
        pool = make_pool(patience=0.3, deadline=10)
        with ThreadPoolExecutor(1) as threads:
            busy = threads.submit(pool.inspect, "x", b"sleep!2")
            assert _within(5, lambda: bool(pool.processes))
            time.sleep(0.1)

            assert pool.inspect("x.cer", CERTIFICATE).error == "queued"
            assert busy.result().error is None

    def test_who_comes_behind_too_many_is_queued_at_once(self, make_pool: Callable[..., Pool]) -> None:
        """Nobody waits in a line that is longer than the limit."""
        pool = make_pool(queue_limit=2, patience=20, deadline=20)
        with ThreadPoolExecutor(3) as threads:
            first = threads.submit(pool.inspect, "x", b"sleep!1.5")
            assert _within(5, lambda: bool(pool.processes))
            time.sleep(0.2)
            waiting = [threads.submit(pool.inspect, "x.cer", CERTIFICATE) for _ in range(2)]
            time.sleep(0.3)
            started = time.monotonic()

            assert pool.inspect("x.cer", CERTIFICATE).error == "queued"
            assert time.monotonic() - started < 0.5
            assert [found.result().error for found in (first, *waiting)] == [None] * 3

    def test_many_threads_share_few_children(self, make_pool: Callable[..., Pool]) -> None:
        """Every answer belongs to its question."""
        pool = make_pool(workers=2, patience=30, queue_limit=100)
        names = ["plain.cer", "adhoc.mobileprovision", "several.jks", "openssl_default.p12"] * 15
        alone = {name: pool.inspect(name, (CORPUS / name).read_bytes(), "secret") for name in set(names)}

        with ThreadPoolExecutor(12) as threads:
            found = list(threads.map(lambda name: pool.inspect(name, (CORPUS / name).read_bytes(), "secret"), names))

        assert found == [alone[name] for name in names]
        assert len(pool.processes) in (1, 2)  # the second comes when somebody has to wait for the first

    def test_short_looks_share_one_child(self, make_pool: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch) -> None:
        """Another is not worth its memory before somebody has to wait."""
        monkeypatch.setattr(isolated, "_SOON", 20.0)
        pool = make_pool(workers=3, patience=30)
        pool.inspect("x.cer", CERTIFICATE)

        with ThreadPoolExecutor(12) as threads:
            found = list(threads.map(lambda _: pool.inspect("x.cer", CERTIFICATE).error, range(60)))

        assert found == [None] * 60
        assert len(pool.processes) == 1

    def test_those_who_come_while_the_first_child_starts_wait_for_it(
        self, make_pool: Callable[..., Pool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(isolated, "_SOON", 20.0)
        monkeypatch.setattr(isolated, "_STARTING", 20.0)
        pool = make_pool(workers=3, patience=30)

        with ThreadPoolExecutor(12) as threads:
            found = list(threads.map(lambda _: pool.inspect("x.cer", CERTIFICATE).error, range(12)))

        assert found == [None] * 12
        assert len(pool.processes) == 1

    def test_nobody_waits_for_a_long_look_while_there_may_be_another_child(
        self, make_pool: Callable[..., Pool]
    ) -> None:
        pool = make_pool(workers=2, deadline=5.0, patience=30)
        pool.inspect("x.cer", CERTIFICATE)

        with ThreadPoolExecutor(1) as threads:
            slow = threads.submit(pool.inspect, "x", b"sleep!60")
            assert _within(5, pool._seats.empty)
            assert pool.inspect("x.cer", CERTIFICATE).error is None
            assert not slow.done()
            assert len(pool.processes) == 2
            assert slow.result().error == "timeout"


class TestTheEnd:
    def test_children_outlive_the_signals_of_the_group(self, make_pool: Callable[..., Pool]) -> None:
        """A service manager ends the whole group; the server drains first and then closes the pipes."""
        pool = make_pool()
        pool.inspect("x.cer", CERTIFICATE)
        before = pool.processes
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(before[0], number)

        assert pool.inspect("x.cer", CERTIFICATE).error is None
        assert pool.processes == before

    def test_closing_ends_them(self, make_pool: Callable[..., Pool]) -> None:
        """And what comes later is queued, so that a draining server stores it all the same."""
        pool = make_pool(workers=2)
        pool.inspect("x.cer", CERTIFICATE)
        before = pool.processes
        pool.close()
        pool.close()

        assert all(map(_gone, before))
        assert pool.inspect("x.cer", CERTIFICATE).error == "queued"

    @pytest.mark.parametrize("thread", [False, True])
    def test_they_end_when_the_server_is_killed(self, thread: bool) -> None:
        """No pipe, no child; and the end of the thread that started one is not the end of it."""
        program = textwrap.dedent(f"""
            import sys, threading, time
            from pathlib import Path
            from parsers import Pool
            pool, data = Pool(1), Path({str(CORPUS / "plain.cer")!r}).read_bytes()
            def read():
                assert pool.inspect("x.cer", data).error is None
            if {thread}:
                first = threading.Thread(target=read)
                first.start()
                first.join()
                time.sleep(0.2)
            before = pool.processes
            read()
            assert not before or pool.processes == before
            print(pool.processes[0], flush=True)
            time.sleep(60)
        """)
        server = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
        )
        assert server.stdout is not None
        child = int(server.stdout.readline())
        assert not _gone(child)
        server.kill()
        server.wait()
        server.stdout.close()

        assert _within(5, lambda: _gone(child))


class TestPlugins:
    def test_are_listed_with_their_problems(self, make_pool: Callable[..., Pool]) -> None:
        """Built-in ones first; a broken one says what is wrong and stops nobody."""
        listed = {entry.name: entry for entry in make_pool().parsers()}

        assert next(iter(listed.values())).origin == "built in"
        assert listed["spy"] == ("spy", "hostile 1.0", None)
        assert listed["missing"] == ("missing", "hostile 1.0", "ModuleNotFoundError")
        assert listed["no_parser"].problem is not None

    def test_what_one_prints_does_not_reach_the_server(self, make_pool: Callable[..., Pool]) -> None:
        """Standard output is not the pipe."""
        found = make_pool().inspect("x", b"babble!")

        assert found.metadata == {"id": "7", "kind": "babble"}

    def test_what_one_raises_is_the_files_fault_and_stays_unquoted(
        self, make_pool: Callable[..., Pool], caplog: pytest.LogCaptureFixture
    ) -> None:
        """The log has the class; the message may hold the file."""
        found = make_pool().inspect("x", b"raise! hunter2")

        assert found.error == "malformed"
        assert "KeyError" in caplog.text
        assert "hunter2" not in caplog.text

    def test_what_is_no_json_is_malformed(self, make_pool: Callable[..., Pool]) -> None:
        """A value of a type of its own."""
        assert make_pool().inspect("x", b"strange!").error == "malformed"

    @pytest.mark.parametrize(
        "date", [b"", b"soon", b"2030-01-01", b"2030-13-01T00:00:00.000Z", b"0001-01-01T00:00:00.000+14:00"]
    )
    def test_what_is_no_date_is_malformed(self, make_pool: Callable[..., Pool], date: bytes) -> None:
        """Reports reckon with it."""
        assert make_pool().inspect("x", b"dream!" + date).error == "malformed"
        assert make_pool().inspect("x", b"dream!2030-01-01T00:00:00.000Z").error is None

    def test_one_that_cannot_sniff_is_passed_over(self, make_pool: Callable[..., Pool]) -> None:
        """The others are asked."""
        assert make_pool().inspect("x.cer", CERTIFICATE).kind == "certificate"


class TestInspect:
    def test_reads_through_a_pool_of_its_own(self) -> None:
        """For programs that do not care."""
        found = inspect("plain.cer", CERTIFICATE)

        assert found.kind == "certificate"
        assert found.expires_at == "2034-01-02T03:04:05.000Z"

    def test_many_threads_at_first_use(self) -> None:
        """None of them is disturbed by the others."""
        results: list[str | None] = []
        threads = [
            threading.Thread(target=lambda: results.append(inspect("plain.cer", CERTIFICATE).error)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert results == [None] * 8
