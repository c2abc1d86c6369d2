"""Nothing of an uploaded file is ever in clear on a disk: not in the data, not in a temporary file, not unlinked."""

from __future__ import annotations

import base64
import os
import random
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness import Client
from tests.server.support import MULTIPART, part, request

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
TOKEN = "glpat-in-clear-nowhere-4711"
PASSWORD = "hunter2-of-the-keystore"
# Random bytes with a mark in every 4 KiB: whatever part of a file lies about, the mark is in it.
MARK = b"<a mark that stands in the plaintext alone>"
CONTENT = b"".join(MARK + random.Random(number).randbytes(4053) for number in range(1220))


class Server:
    """`secure-files serve` as a process of its own, with a temporary folder that nobody else uses."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "serve", "--data", str(self.data), "--port", "0"],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                umask=0,
                env={**os.environ, "SECURE_FILES_ROOT_TOKEN": TOKEN, "TMPDIR": str(self.temporary)},
            )
        self.client = Client(self._address(), TOKEN)

    def _address(self) -> str:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = re.search(r"listening on (http://[^\s]+)", self.log.read_text())
            if found:
                return found[1]
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        """End the server as an operator does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def processes(self) -> list[int]:
        """Return the ids of the server and of all below it: workers and the children that read files."""
        found, todo = [], [self.process.pid]
        while todo:
            number = todo.pop()
            found.append(number)
            for children in Path(f"/proc/{number}/task").glob("*/children"):
                todo += [int(word) for word in children.read_text().split()]
        return found

    def open_files(self) -> Iterator[tuple[str, bytes]]:
        """Yield what every open descriptor of the server holds that is a file, also one whose name is gone."""
        for number in self.processes():
            for descriptor in Path(f"/proc/{number}/fd").iterdir():
                try:
                    if stat.S_ISREG(descriptor.stat().st_mode):
                        yield f"{number}:{descriptor.readlink()}", descriptor.read_bytes()
                except OSError:
                    continue  # closed meanwhile

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield every file of the data folder, of the temporary folder, and the log."""
        for folder in (self.data, self.temporary):
            for path in folder.rglob("*"):
                if path.is_file():
                    yield str(path), path.read_bytes()
        yield "log", self.log.read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("clear"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def path(server: Server) -> str:
    """The path of the secure files of a new project."""
    return f"/projects/{server.client.post('/projects', json={'name': 'app'}).json['id']}/secure_files"


def spellings(piece: bytes) -> list[bytes]:
    """Return the piece as it is, in hexadecimal and in base64, wherever in a longer text it may stand."""
    coded = [base64.b64encode(bytes(shift) + piece)[8 : len(piece)] for shift in range(3)]
    return [piece, piece.hex().encode(), piece.hex().upper().encode(), *coded]


def assert_clear_of(content: list[bytes], held: Iterator[tuple[str, bytes]]) -> int:
    """Look for each piece in each file; return how many bytes were looked through."""
    wanted = [text for piece in content for text in spellings(piece)]
    count = 0
    for name, data in held:
        assert not any(text in data for text in wanted), f"plaintext in {name}"
        count += len(data)
    return count


class TestSearch:
    """A search that finds nothing has to be one that could find something."""

    @pytest.mark.parametrize("coded", [bytes, bytes.hex, base64.b64encode, lambda data: base64.b64encode(b"x" + data)])
    def test_finds_what_is_there(self, coded: object) -> None:
        held = coded(CONTENT[4000:9000])  # type: ignore[operator]
        held = held.encode() if isinstance(held, str) else held

        with pytest.raises(AssertionError, match="plaintext in here"):
            assert_clear_of([MARK], iter([("here", b"something before " + held)]))


class TestUploads:
    def test_leave_nothing_in_clear_while_they_come_and_after(self, server: Server, path: str) -> None:
        body = b"--frontier\r\n" + part("name", b"big") + b"\r\n--frontier\r\n" + part("file", CONTENT, "big")
        whole = request(
            "POST",
            f"/api/v4{path}",
            {"PRIVATE-TOKEN": TOKEN, **MULTIPART, "Content-Length": str(len(body) + len(b"\r\n--frontier--\r\n"))},
            body,
        )
        host, _, port = server.client.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(whole[: len(whole) // 2])
            time.sleep(0.3)
            assert_clear_of([MARK], server.open_files())
            connection.sendall(whole[len(whole) // 2 :])
            time.sleep(0.3)
            assert_clear_of([MARK], server.open_files())
            assert_clear_of([MARK], server.files())
            connection.sendall(b"\r\n--frontier--\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 201")

        looked_through = assert_clear_of([MARK], server.files())
        assert looked_through > len(CONTENT), "the sealed file is among what was looked through"
        assert_clear_of([MARK], server.open_files())

    def test_come_back_whole_and_leave_nothing_on_the_way(self, server: Server, path: str) -> None:
        made = server.client.post(path, data={"name": "back"}, files={"file": ("f", CONTENT)}).json

        assert server.client.get(f"{path}/{made['id']}/download").body == CONTENT

        assert_clear_of([MARK], server.files())
        assert_clear_of([MARK], server.open_files())

    def test_small_enough_for_a_row_are_sealed_too(self, server: Server, path: str) -> None:
        small = CONTENT[:1000]
        server.client.post(path, data={"name": "small"}, files={"file": ("f", small)})

        assert_clear_of([MARK, small[500:540]], server.files())

    def test_do_not_leave_their_passwords(self, server: Server, path: str) -> None:
        keystore = (ROOT / "sample_certs" / "files" / "distribution.p12").read_bytes()
        made = server.client.post(path, data={"name": "k", "password": PASSWORD}, files={"file": ("f", keystore)})
        assert made.json["metadata_error"]
        server.client.post(f"{path}/{made.json['id']}/metadata", json={"password": PASSWORD})
        server.client.post(f"{path}/{made.json['id']}/metadata?password={PASSWORD}")

        assert_clear_of([PASSWORD.encode()], server.files())

    def test_that_are_refused_leave_nothing(self, server: Server, path: str) -> None:
        too_large = CONTENT + CONTENT[:400_000]
        assert server.client.post(path, data={"name": "x"}, files={"file": ("f", too_large)}).status == 413
        assert server.client.post(path, data={"name": ".."}, files={"file": ("f", CONTENT)}).status == 400

        assert_clear_of([MARK], server.files())


class TestGitLfsObjects:
    @pytest.fixture
    def another(self, tmp_path: Path) -> Iterator[Server]:
        running = Server(tmp_path)
        yield running
        running.stop()

    def test_are_sealed_whichever_way_they_came(self, another: Server) -> None:
        server, oid = another, sha256(CONTENT).hexdigest()
        made = server.client.post("/projects", json={"name": "app"}).json
        project, git = f"/projects/{made['id']}", f"/{made['path_with_namespace']}.git"
        for name, content in ((".gitattributes", b"*.bin filter=lfs"), ("a.bin", CONTENT[:90_000])):
            coded = base64.b64encode(content).decode()
            body = {"branch": "main", "commit_message": "m", "content": coded, "encoding": "base64"}
            assert server.client.post(f"{project}/repository/files/{name}", json=body).status == 201
        assert server.client.put(f"{git}/gitlab-lfs/objects/{oid}/{len(CONTENT)}", data=CONTENT).status == 200
        assert server.client.put(f"{git}/gitlab-lfs/objects/{'0' * 64}/{len(CONTENT)}", data=CONTENT).status == 422
        assert server.client.get(f"{git}/gitlab-lfs/objects/{oid}").body == CONTENT

        assert_clear_of([MARK], server.files())
        assert_clear_of([MARK], server.open_files())


class TestTokens:
    def test_are_in_no_file_and_no_log(self, server: Server, path: str) -> None:
        made = server.client.post(
            f"/users/{server.client.get('/user').json['id']}/personal_access_tokens",
            json={"name": "t", "scopes": ["api"]},
        ).json["token"]
        job = server.client.post(f"{path.removesuffix('/secure_files')}/jobs", json={"name": "j", "ref": "m"}).json
        for token in (TOKEN, made, "glpat-wrong-one-4711"):
            Client(server.client.url, None).get(f"{path}?private_token={token}")
            Client(server.client.url, token).get(path)
        Client(server.client.url, job["token"], "JOB-TOKEN").get(path)
        Client(server.client.url, None).get(f"{path}?job_token={job['token']}")

        secrets = [text.encode() for text in (TOKEN, made, job["token"], "glpat-wrong-one-4711")]
        assert_clear_of(secrets, server.files())


class TestModes:
    """The process ran with umask 0: what is closed was closed on purpose."""

    def test_every_folder_is_its_owners(self, server: Server) -> None:
        for folder in (server.data, *(path for path in server.data.rglob("*") if path.is_dir())):
            assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0, folder

    def test_every_file_is_its_owners(self, server: Server, path: str) -> None:
        files = [path for path in server.data.rglob("*") if path.is_file()]

        assert stat.S_IMODE((server.data / "keys" / "keyring.json").stat().st_mode) == 0o600
        assert {oct(stat.S_IMODE(file.stat().st_mode) & 0o077) for file in files} == {"0o0"}


class TestEnd:
    def test_of_the_server_leaves_nothing_in_the_temporary_folder(self, server: Server, path: str) -> None:
        server.stop()

        assert server.process.returncode == 0
        assert list(server.temporary.iterdir()) == []
        assert_clear_of([MARK], server.files())
