"""How large and how many: the limits of secure files, their settings, and what many clients at once make of them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT_TOKEN, RunningVault
from tests.server.support import MIB, MULTIPART, exchange, files_of, part, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.harness import Answer

TOO_LARGE = {"message": "413 Request Entity Too Large"}
FULL = {"message": {"base": ["Maximum number of project ci secure files (100) exceeded"]}}


def at_once(count: int, work: Callable[[int], Answer]) -> list[Answer]:
    """Do the work in so many threads."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


@pytest.fixture(scope="module")
def full(vault: RunningVault) -> dict[str, Any]:
    """A project of 100 files."""
    project = vault.project()
    for number in range(100):
        assert vault.root.upload(project["id"], f"{number:03}", b"1").status == 201
    return project


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A vault whose files have fewer than 1,000 bytes, two to a project."""
    data: Path = tmp_path_factory.mktemp("small") / "data"
    with RunningVault(data, secure_file_bytes=1000, secure_files_per_project=2) as running:
        yield running


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A vault that takes files of up to 8 MiB."""
    with RunningVault(tmp_path_factory.mktemp("large") / "data", secure_file_bytes=8 * MIB) as running:
        yield running


class TestSize:
    @pytest.mark.parametrize(
        ("size", "status"), [(5 * MIB - 1, 201), (5 * MIB, 413), (5 * MIB + 1, 413), (9 * MIB, 413)]
    )
    def test_five_mebibytes_are_too_many(
        self, vault: RunningVault, project: dict[str, Any], size: int, status: int
    ) -> None:
        answer = vault.root.upload(project["id"], "a", bytes(size))

        assert answer.status == status
        if status == 413:
            assert answer.json == TOO_LARGE
            assert vault.root.get(files_of(project)).json == []

    @pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
    @pytest.mark.parametrize("token", [ROOT_TOKEN, "wrong", ""], ids=["administrator", "wrong token", "no token"])
    def test_a_client_that_sends_on_reads_the_answer(
        self, vault: RunningVault, project: dict[str, Any], chunked: bool, token: str
    ) -> None:
        """60 MB go out before the answer is read: a server that closed at once would reset the connection."""
        body = b"--frontier\r\n" + part("name", b"a") + b"\r\n--frontier\r\n" + part("file", b"", "f")
        piece, count = bytes(MIB), 60
        lines = {**MULTIPART, **({"PRIVATE-TOKEN": token} if token else {})}
        length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body) + count * MIB)}
        wrapped = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
        first = b"%x\r\n%s\r\n" % (len(body), body) if chunked else body

        answer = exchange(
            vault.url,
            request("POST", f"/api/v4{files_of(project)}", {**lines, **length}) + first,
            *[wrapped] * count,
        )

        assert answer.status == (401 if token == "wrong" else 413)
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("piece", [b"p" * MIB, b"--frontier\r\n" * 80_000, b"\r\n--frontier--\r\n" * 60_000])
    def test_an_endless_body_is_ended(self, vault: RunningVault, project: dict[str, Any], piece: bytes) -> None:
        lines = {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART, "Transfer-Encoding": "chunked"}
        chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
        start = time.monotonic()

        answer = exchange(vault.url, request("POST", f"/api/v4{files_of(project)}", lines), *[chunk] * 200)

        assert answer.status in (400, 413)
        assert time.monotonic() - start < 15
        assert vault.root.get("/version").status == 200

    def test_a_body_said_to_be_too_large_is_refused_before_it_comes(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        lines = {"PRIVATE-TOKEN": ROOT_TOKEN, **MULTIPART, "Content-Length": str(100 * MIB)}

        answer = exchange(vault.url, request("POST", f"/api/v4{files_of(project)}", lines))

        assert (answer.status, answer.json) == (413, TOO_LARGE)

    def test_a_json_body_of_two_megabytes_is_too_large(self, vault: RunningVault) -> None:
        answer = vault.root.post("/groups", json={"name": "a" * 2 * MIB, "path": "a"})

        assert (answer.status, answer.json) == (413, TOO_LARGE)


class TestCount:
    def test_the_hundred_and_first_file_is_refused(self, vault: RunningVault, full: dict[str, Any]) -> None:
        answer = vault.root.upload(full["id"], "one more", b"1")

        assert (answer.status, answer.json) == (400, FULL)
        assert vault.root.get(files_of(full)).headers["X-Total"] == "100"

    def test_a_taken_name_is_told_before_the_count(self, vault: RunningVault, full: dict[str, Any]) -> None:
        answer = vault.root.upload(full["id"], "000", b"1")

        assert answer.json == {"message": {"name": ["has already been taken"]}}

    def test_other_projects_are_not_concerned(self, vault: RunningVault, full: dict[str, Any]) -> None:
        assert vault.root.upload(vault.project()["id"], "a", b"1").status == 201

    def test_a_place_that_becomes_free_is_one_place(self, vault: RunningVault, full: dict[str, Any]) -> None:
        """Eight writers race for it, three times: one gets it, the others hear that the project is full."""
        for turn in range(3):
            oldest = vault.root.get(f"{files_of(full)}?per_page=100").json[-1]
            vault.root.delete(f"{files_of(full)}/{oldest['id']}")

            answers = at_once(8, lambda number, turn=turn: vault.root.upload(full["id"], f"{turn} {number}", b"1"))

            assert sorted(answer.status for answer in answers) == [201] + [400] * 7
            assert all(answer.json == FULL for answer in answers if answer.status == 400)
            assert vault.root.get(files_of(full)).headers["X-Total"] == "100"


class TestOneNameAtOnce:
    @pytest.mark.parametrize("size", [10, 100_000])
    def test_eight_uploads_make_one_file(self, vault: RunningVault, project: dict[str, Any], size: int) -> None:
        contents = [bytes([number]) * size for number in range(8)]

        answers = at_once(8, lambda number: vault.root.upload(project["id"], "same", contents[number]))

        assert sorted(answer.status for answer in answers) == [201] + [400] * 7
        taken = {"message": {"name": ["has already been taken"]}}
        assert all(answer.json == taken for answer in answers if answer.status == 400)
        (file,) = vault.root.get(files_of(project)).json
        winner = next(number for number, answer in enumerate(answers) if answer.status == 201)
        assert vault.root.get(f"{files_of(project)}/{file['id']}/download").body == contents[winner]

    def test_eight_names_make_eight_files(self, vault: RunningVault, project: dict[str, Any]) -> None:
        answers = at_once(8, lambda number: vault.root.upload(project["id"], str(number), bytes([number]) * 70_000))

        assert {answer.status for answer in answers} == {201}
        listed = {file["name"]: file["id"] for file in vault.root.get(files_of(project)).json}
        for number in range(8):
            down = vault.root.get(f"{files_of(project)}/{listed[str(number)]}/download")
            assert down.body == bytes([number]) * 70_000

    def test_eight_deletes_make_one(self, vault: RunningVault, project: dict[str, Any]) -> None:
        file = vault.root.upload(project["id"], "a", b"1").json["id"]

        answers = at_once(8, lambda _: vault.root.delete(f"{files_of(project)}/{file}"))

        assert sorted(answer.status for answer in answers) == [204] + [404] * 7


class TestSettings:
    def test_make_files_smaller_and_fewer(self, small: RunningVault) -> None:
        project = small.project()["id"]

        assert small.root.upload(project, "a", bytes(1000)).status == 413
        assert small.root.upload(project, "a", bytes(999)).status == 201
        assert small.root.upload(project, "b", b"").status == 201
        full = small.root.upload(project, "c", b"")
        assert full.json == {"message": {"base": ["Maximum number of project ci secure files (2) exceeded"]}}

    def test_make_files_larger_wherever_the_token_stands(self, large: RunningVault) -> None:
        project = large.project()["id"]
        content = bytes(8 * MIB - 1)

        in_header = large.root.upload(project, "a", content)
        in_body = large.nobody.upload(project, "b", content, private_token=ROOT_TOKEN)

        assert [in_header.status, in_body.status] == [201, 201]
        assert large.root.upload(project, "c", bytes(8 * MIB)).status == 413
