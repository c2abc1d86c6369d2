import errno
import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from tests.blobstore_suite import BlobStoreSuite, content, new_id, put
from vault.blobs import filesystem
from vault.blobs.filesystem import FilesystemBlobs
from vault.errors import BlobMissing, Conflict, StorageFull, Unavailable

POINTS = ("write", "fsync of the file", "rename", "fsync of the folder")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "blobs"


@pytest.fixture
def store(folder):
    return FilesystemBlobs(folder)


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@contextmanager
def watched(monkeypatch, before):
    """Call `before(point)` ahead of every system call of `POINTS` inside the block."""
    write, fsync, rename = os.write, os.fsync, os.rename

    def watched_fsync(fd):
        before("fsync of the folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "fsync of the file")
        return fsync(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda *args: (before("write"), write(*args))[1])
        patch.setattr(os, "fsync", watched_fsync)
        patch.setattr(os, "rename", lambda *args: (before("rename"), rename(*args))[1])
        yield


class TestFilesystemBlobs(BlobStoreSuite):
    """The store of files keeps the contract."""

    @pytest.fixture
    def store(self, folder):
        return FilesystemBlobs(folder)


class TestLayout:
    """Where objects lie, and who may look."""

    def test_an_object_is_one_file_holding_exactly_its_bytes(self, store, folder):
        blob_id = put(store, b"sealed")
        assert files(folder) == [folder / blob_id[:2] / blob_id]
        assert files(folder)[0].read_bytes() == b"sealed"

    def test_while_it_is_written_it_lies_in_tmp_alone(self, store, folder):
        blob_id = new_id()
        with store.writer(blob_id) as writer:
            writer.write(b"half")
            assert files(folder) == [folder / "tmp" / blob_id]

    @pytest.mark.parametrize("mask", [0, 0o077, 0o777])
    def test_all_is_for_the_owner_alone_whatever_the_umask(self, folder, mask):
        with umask(mask):
            store = FilesystemBlobs(folder)
            blob_id = new_id()
            with store.writer(blob_id) as writer:
                writer.write(b"x")
                assert mode(folder / "tmp" / blob_id) == 0o600
        assert mode(folder / blob_id[:2] / blob_id) == 0o600
        made = [folder, *folder.iterdir()]
        assert len(made) == 258
        assert {mode(path) for path in made} == {0o700}

    def test_missing_folders_above_are_made_for_the_owner_alone(self, tmp_path):
        with umask(0):
            FilesystemBlobs(tmp_path / "data" / "blobs")
        assert mode(tmp_path / "data") == 0o700

    def test_opening_again_finds_the_objects_and_repairs_missing_folders(self, store, folder):
        blob_id = put(store, b"sealed", blob_id="ab" + "0" * 30)
        (folder / "cd").rmdir()
        again = FilesystemBlobs(folder)
        assert content(again, blob_id) == b"sealed"
        put(again, b"x", blob_id="cd" + "0" * 30)

    def test_strangers_in_the_folders_are_not_objects(self, store, folder):
        (folder / "ab" / "notes.txt").write_text("mine")
        (folder / "ab" / ("cd" + "0" * 30)).write_text("in the wrong folder")
        (folder / "lost+found").mkdir()
        assert list(store.ids()) == []

    def test_a_file_in_the_way_of_the_folder_is_reported(self, folder):
        folder.write_text("not a folder")
        with pytest.raises(Unavailable, match="ENOTDIR"):
            FilesystemBlobs(folder)


class TestDurability:
    """The order of the system calls is the promise: nothing here can pull the plug."""

    def test_bytes_are_durable_before_the_name_and_the_name_before_the_answer(self, store, monkeypatch):
        calls = []
        with watched(monkeypatch, calls.append):
            put(store, b"one", b"two")
        assert calls == ["write", "write", "fsync of the file", "rename", "fsync of the folder"]

    def test_new_folders_are_durable_before_the_first_object(self, tmp_path, monkeypatch):
        synced = []
        fsync = os.fsync
        monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.fstat(fd).st_ino), fsync(fd)))
        FilesystemBlobs(tmp_path / "data" / "blobs")
        folders = (tmp_path, tmp_path / "data", tmp_path / "data" / "blobs")
        assert synced == [folder.stat().st_ino for folder in folders]

    def test_a_kernel_that_takes_less_than_offered_is_asked_again(self, store, monkeypatch):
        write = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:1000]))
        whole = os.urandom(10_500)
        assert content(store, put(store, whole)) == whole


class TestRefusedByTheDisk:
    """A disk that refuses costs the object, never the store."""

    @pytest.mark.parametrize("point", POINTS)
    @pytest.mark.parametrize(
        "refusal",
        [
            (errno.ENOSPC, StorageFull),
            (errno.EDQUOT, StorageFull),
            (errno.EIO, Unavailable),
            (errno.EROFS, Unavailable),
        ],
    )
    def test_nothing_visible_and_no_file_is_left(self, store, folder, monkeypatch, point, refusal):
        blob_id, (code, error) = new_id(), refusal

        def refuse(reached):
            if reached == point:
                raise OSError(code, os.strerror(code), "/secret/place")

        with watched(monkeypatch, refuse), pytest.raises(Unavailable) as raised:
            put(store, b"sealed", blob_id=blob_id)
        assert type(raised.value) is error
        assert errno.errorcode[code] in str(raised.value)
        assert "/secret/place" not in str(raised.value)
        assert files(folder) == []
        put(store, b"again", blob_id=blob_id)
        assert content(store, blob_id) == b"again"

    def test_a_write_cut_short_by_a_real_limit_leaves_nothing(self, folder):
        outcome = run_python(
            """
            import resource
            store = FilesystemBlobs(folder)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            try:
                with store.writer("ab" + "0" * 30) as writer:
                    writer.write(bytes(250_000))
            except Unavailable as error:
                print(error)
            """,
            folder,
        )
        assert "EFBIG" in outcome.stdout, outcome.stderr
        assert files(folder) == []

    def test_a_folder_that_went_away_is_not_taken_for_lost_objects(self, store, folder):
        blob_id = put(store, b"sealed")
        folder.rename(folder.with_name("unmounted"))
        for ask in (
            lambda: store.read_at(blob_id, 0, 1),
            lambda: store.size(blob_id),
            lambda: store.delete(blob_id),
            lambda: list(store.ids()),
            lambda: put(store, b"x"),
        ):
            with pytest.raises(Unavailable):
                ask()

    @pytest.mark.parametrize("ask", ["read_at", "delete"])
    def test_an_object_that_is_no_file_is_reported_as_such(self, store, folder, ask):
        blob_id = new_id()
        (folder / blob_id[:2] / blob_id).mkdir()
        with pytest.raises(Unavailable, match="refused"):
            store.delete(blob_id) if ask == "delete" else store.read_at(blob_id, 0, 1)


class TestKilled:
    """What a killed writer leaves is invisible, and swept at the next start."""

    def test_only_a_file_in_tmp_is_left_and_emptied(self, folder):
        outcome = run_python(
            """
            import os, signal
            store = FilesystemBlobs(folder)
            with store.writer("ab" + "0" * 30) as writer:
                writer.write(bytes(100_000))
                os.kill(os.getpid(), signal.SIGKILL)
            """,
            folder,
        )
        assert outcome.returncode == -signal.SIGKILL
        store = FilesystemBlobs(folder)
        kept = put(store, b"kept")
        assert set(files(folder)) == {folder / "tmp" / ("ab" + "0" * 30), folder / kept[:2] / kept}
        assert list(store.ids()) == [kept]
        with pytest.raises(BlobMissing):
            store.size("ab" + "0" * 30)
        with pytest.raises(Conflict):
            put(store, b"x", blob_id="ab" + "0" * 30)
        assert store.sweep_unfinished() == 1
        assert files(folder) == [folder / kept[:2] / kept]
        assert store.sweep_unfinished() == 0
        put(store, b"x", blob_id="ab" + "0" * 30)


def run_python(script, folder):
    header = (
        "import sys\nfrom pathlib import Path\nfrom vault.blobs.filesystem import FilesystemBlobs\n"
        "from vault.errors import Unavailable\nfolder = Path(sys.argv[1])\n"
    )
    command = [sys.executable, "-c", header + dedent(script), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class TestDurableTogether:
    """Many objects made durable at once."""

    def test_they_are_synced_with_the_disk_when_the_block_has_ended(self, store, folder, monkeypatch):
        calls = []
        monkeypatch.setattr(os, "fsync", lambda fd: calls.append("one"))
        monkeypatch.setattr(filesystem, "_sync_disk", calls.append)
        with store.durable_together():
            ids = [put(store, b"x" * 1000) for _ in range(20)]
            assert calls == []
        assert calls == [folder]
        assert {content(store, blob_id) for blob_id in ids} == {b"x" * 1000}

        put(store, b"alone")
        assert calls == [folder, "one", "one"]

    def test_the_disk_is_one_that_can_be_synced(self, store):
        with store.durable_together():
            blob_id = put(store, b"x")
        assert content(store, blob_id) == b"x"

    def test_a_disk_that_refuses_is_told_at_the_end(self, store, monkeypatch):
        def refuse(folder):
            raise OSError(errno.EIO, "bad disk")

        monkeypatch.setattr(filesystem, "_sync_disk", refuse)
        with pytest.raises(Unavailable), store.durable_together():
            put(store, b"x")


class TestAnObjectAtHand:
    def test_is_in_memory_after_it_was_written(self, store):
        at_hand, target = store.at_hand(put(store, b"x" * 300_000), 300_000), bytearray(300_000)
        assert at_hand.read_now(memoryview(target), 0) in (0, 300_000)  # not every disk tells
        at_hand.close()

    @pytest.mark.parametrize("code", [errno.EAGAIN, errno.EOPNOTSUPP])
    def test_is_not_read_at_once_where_the_system_would_wait(self, store, monkeypatch, code):
        at_hand, target = store.at_hand(put(store, b"0123456789"), 10), bytearray(10)
        preadv = os.preadv

        def cold(fd, buffers, offset, flags=0):
            if flags:
                raise OSError(code, "not in memory")
            return preadv(fd, buffers, offset)

        monkeypatch.setattr(os, "preadv", cold)
        assert at_hand.read_now(memoryview(target), 0) == 0
        assert (at_hand.read(memoryview(target), 0), target) == (10, b"0123456789")

    def test_tells_of_a_disk_that_fails(self, store, monkeypatch):
        at_hand, target = store.at_hand(put(store, b"0123456789"), 10), bytearray(10)

        def fail(*_):
            raise OSError(errno.EIO, "bad disk")

        monkeypatch.setattr(os, "preadv", fail)
        for read in (at_hand.read, at_hand.read_now):
            with pytest.raises(Unavailable, match="EIO"):
                read(memoryview(target), 0)

    def test_is_asked_for_until_it_is_there(self, store, monkeypatch):
        at_hand, target = store.at_hand(put(store, b"0123456789"), 10), bytearray(12)
        preadv = os.preadv
        monkeypatch.setattr(os, "preadv", lambda fd, targets, offset, _: preadv(fd, [targets[0][:3]], offset))
        assert (at_hand.read(memoryview(target), 0), target[:10]) == (10, b"0123456789")

    def test_that_is_not_closed_closes_itself(self, store):
        blob_id, open_files = put(store, b"x"), Path("/proc/self/fd")
        before = len(list(open_files.iterdir()))
        for _ in range(3):
            store.at_hand(blob_id, 1)
        assert len(list(open_files.iterdir())) == before


def test_the_disk_begins_to_write_before_the_end(store, monkeypatch):
    """Each stretch once, so that little is left to wait for."""
    begun = []
    monkeypatch.setattr(filesystem, "_begin_to_sync", lambda _, offset, length: begun.append((offset, length)))
    put(store, *[bytes(filesystem._AHEAD // 2)] * 5, bytes(3 * filesystem._AHEAD))
    ahead = filesystem._AHEAD
    assert begun == [(0, ahead), (ahead, ahead), (2 * ahead, ahead // 2 + 3 * ahead)]
