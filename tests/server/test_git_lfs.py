"""The Git LFS API, request by request: batch, the basic transfer, and what each is refused for."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.lfs_support import BYTES, MEDIA, Lfs, left, named, objects, oid_of, passes
from tests.server.repository_support import Repository
from tests.server.support import exchange, request
from tests.server.test_audit import last

if TYPE_CHECKING:
    from tests.harness import RunningVault


@pytest.fixture
def lfs(vault: RunningVault) -> Lfs:
    return Lfs(Repository(vault))


class TestBatch:
    def test_says_where_an_object_is_to_go(self, lfs: Lfs) -> None:
        answer = lfs.batch("upload", named(BYTES), transfers=["lfs-standalone-file", "basic"], hash_algo="sha256")

        place = f"{lfs.repository.vault.url}{lfs.git}"
        known = passes(answer)
        assert answer.status == 200
        assert answer.headers["Content-Type"].partition(";")[0] == MEDIA
        assert answer.json["transfer"] == "basic"
        assert answer.json["objects"] == [
            {
                **named(BYTES),
                "authenticated": True,
                "actions": {
                    "upload": {"href": f"{place}/gitlab-lfs/objects/{oid_of(BYTES)}/{len(BYTES)}", **known},
                    "verify": {"href": f"{place}/info/lfs/verify", **known},
                },
            }
        ]

    def test_says_nothing_of_one_that_is_here_already(self, lfs: Lfs) -> None:
        lfs.put(BYTES)

        assert lfs.batch("upload", named(BYTES)).json["objects"] == [named(BYTES)]

    def test_says_where_an_object_is_to_be_had(self, lfs: Lfs) -> None:
        lfs.put(BYTES)

        answer = lfs.batch("download", named(BYTES))

        place = f"{lfs.repository.vault.url}{lfs.git}/gitlab-lfs/objects/{oid_of(BYTES)}"
        actions = {"download": {"href": place, **passes(answer)}}
        assert answer.json["objects"] == [{**named(BYTES), "authenticated": True, "actions": actions}]

    def test_tells_nobody_the_place_alone(self, vault: RunningVault) -> None:
        lfs = Lfs(Repository(vault, "public"))
        lfs.put(BYTES)

        [told] = Lfs(lfs.repository, vault.nobody).batch("download", named(BYTES)).json["objects"]

        place = f"{vault.url}{lfs.git}/gitlab-lfs/objects/{oid_of(BYTES)}"
        assert told == {**named(BYTES), "actions": {"download": {"href": place}}}

    def test_tells_of_each_object_what_is_wrong_with_it(self, lfs: Lfs) -> None:
        lfs.put(b"here")
        short, loud = {"oid": "12", "size": 1}, {"oid": "A" * 64, "size": 1}

        answer = lfs.batch("download", named(b"here"), named(b"nowhere"), short, loud, {"oid": "0" * 64, "size": -1})

        told = answer.json["objects"]
        assert answer.status == 200
        assert [each.get("error", {}).get("code") for each in told] == [None, 404, 422, 422, 422]
        assert told[1]["error"]["message"].startswith("Object does not exist on the server")

    def test_tells_what_is_wrong_with_a_name_that_is_no_text(self, lfs: Lfs) -> None:
        [told] = lfs.batch("upload", {"oid": "\ud800", "size": 1}).json["objects"]

        assert (told["oid"], told["error"]["code"]) == ("\ud800", 422)

    def test_does_not_have_an_object_of_another_size(self, lfs: Lfs) -> None:
        lfs.put(b"here")
        other = {"oid": oid_of(b"here"), "size": 5}

        assert lfs.batch("download", other).json["objects"][0]["error"]["code"] == 404
        assert lfs.batch("upload", other).json["objects"][0]["error"]["code"] == 422

    def test_refuses_an_object_that_is_too_large(self, lfs: Lfs) -> None:
        [told] = lfs.batch("upload", {"oid": "0" * 64, "size": 2**31}).json["objects"]

        assert told["error"] == {"code": 422, "message": "an object may have 1073741824 bytes"}

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"objects": [named(b"")]}, 422),
            ({"operation": "delete", "objects": [named(b"")]}, 422),
            ({"operation": "download"}, 422),
            ({"operation": "download", "objects": []}, 422),
            ({"operation": "download", "objects": "all"}, 422),
            ({"operation": "download", "objects": ["0" * 64]}, 422),
            ({"operation": "download", "objects": [named(b"")], "transfers": ["ssh"]}, 422),
            ({"operation": "download", "objects": [named(b"")], "transfers": 5}, 422),
            ({"operation": "download", "objects": [named(b"")], "hash_algo": "sha512"}, 409),
            ({"operation": "download", "objects": [named(b"")] * 1001}, 413),
            ([], 400),
        ],
    )
    def test_says_what_is_wrong_with_a_request(self, lfs: Lfs, body: Any, status: int) -> None:
        answer = lfs.talk("objects/batch", body)

        assert answer.status == status
        assert answer.headers["Content-Type"].partition(";")[0] == MEDIA
        assert answer.json["message"]

    def test_takes_the_type_of_the_protocol_and_plain_json(self, lfs: Lfs) -> None:
        body = {"operation": "download", "objects": [named(BYTES)]}

        assert lfs.talk("objects/batch", body, f"{MEDIA}; charset=utf-8").status == 200
        assert lfs.talk("objects/batch", body, "application/json").status == 200
        assert lfs.talk("objects/batch", body, "text/plain").status == 415

    def test_names_the_address_that_clients_use(self, lfs: Lfs) -> None:
        """As behind a proxy, whose name is in the request."""
        basic = b64encode(f"x:{lfs.client.token}".encode()).decode()
        lines = {"Host": "vault.example.com", "Authorization": f"Basic {basic}", "Content-Type": MEDIA}
        body = b'{"operation": "upload", "objects": [{"oid": "%b", "size": 1}]}' % (b"0" * 64)

        answer = exchange(lfs.client.url, request("POST", f"{lfs.git}/info/lfs/objects/batch", lines, body))

        href = answer.json["objects"][0]["actions"]["upload"]["href"]
        assert href == f"http://vault.example.com{lfs.git}/gitlab-lfs/objects/{'0' * 64}/1"


class TestUploading:
    @pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
    def test_keeps_an_object_of_any_size(self, lfs: Lfs, size: int) -> None:
        content = os.urandom(size)

        assert lfs.put(content).status == 200
        assert lfs.get(content).body == content

    def test_takes_a_body_whose_length_is_not_told(self, lfs: Lfs) -> None:
        place = f"{lfs.git}/gitlab-lfs/objects/{oid_of(BYTES)}/{len(BYTES)}"

        assert lfs.client.put(place, data=iter([BYTES[:100], BYTES[100:]])).status == 200
        assert lfs.get(BYTES).body == BYTES

    def test_again_changes_nothing(self, lfs: Lfs) -> None:
        lfs.put(BYTES)

        assert lfs.put(BYTES).status == 200
        assert objects(lfs) == 1
        assert left(lfs.repository.vault) == set()

    def test_of_one_object_by_many_at_once_keeps_it_once(self, lfs: Lfs) -> None:
        vault, content = lfs.repository.vault, os.urandom(400_000)

        with ThreadPoolExecutor(8) as threads:
            sent = [threads.submit(Lfs(lfs.repository, vault.root).put, content) for _ in range(8)]

        assert {each.result().status for each in sent} == {200}
        assert (objects(lfs), left(vault)) == (1, set())
        assert lfs.get(content).body == content

    @pytest.mark.parametrize(
        ("oid", "size", "status"),
        [
            ("0" * 64, len(BYTES), 422),
            (oid_of(BYTES).upper(), len(BYTES), 422),
            (oid_of(BYTES)[:-1], len(BYTES), 422),
            (oid_of(BYTES), len(BYTES) + 1, 422),
            (oid_of(BYTES), len(BYTES) - 1, 413),
            (oid_of(BYTES), 2**31, 413),
            (oid_of(BYTES), "9" * 5000, 413),
            (oid_of(BYTES), "-1", 404),
            (oid_of(BYTES), "%D9%A3", 404),
        ],
    )
    def test_of_what_is_not_the_object_is_refused_and_leaves_nothing(
        self, lfs: Lfs, oid: str, size: int | str, status: int
    ) -> None:
        assert lfs.put(BYTES, oid, size).status == status
        assert objects(lfs) == 0
        assert left(lfs.repository.vault) == set()

    def test_that_is_broken_off_leaves_nothing(self, lfs: Lfs) -> None:
        content = os.urandom(2_000_000)
        lines = {"PRIVATE-TOKEN": lfs.client.token or "", "Content-Length": str(len(content))}
        place = f"{lfs.git}/gitlab-lfs/objects/{oid_of(content)}/{len(content)}"

        with suppress(HTTPException):  # most often there is no answer
            exchange(lfs.client.url, request("PUT", place, lines), content[:-1], finish=True)

        deadline = time.monotonic() + 10
        while (
            unfinished := list(lfs.repository.vault.settings.data.glob("blobs/tmp/*"))
        ) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (unfinished, objects(lfs), left(lfs.repository.vault)) == ([], 0, set())

    def test_is_verified(self, lfs: Lfs) -> None:
        lfs.put(BYTES)

        assert lfs.talk("verify", named(BYTES)).status == 200
        assert lfs.talk("verify", named(b"nowhere")).status == 404
        assert lfs.talk("verify", {**named(BYTES), "size": 1}).status == 422
        assert lfs.talk("verify", {"oid": 5}).status == 422


class TestDownloading:
    def test_goes_on_where_it_was_broken_off(self, lfs: Lfs) -> None:
        lfs.put(BYTES)

        rest = lfs.get(BYTES, headers={"Range": "bytes=150000-"})

        assert (rest.status, rest.body) == (206, BYTES[150_000:])

    def test_of_what_is_not_there_is_not_found(self, lfs: Lfs) -> None:
        answer = lfs.get(b"nowhere")

        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (404, MEDIA)
        assert answer.json["message"].startswith("Object does not exist")

    def test_of_another_projects_object_is_not_found(self, lfs: Lfs) -> None:
        other = Lfs(Repository(lfs.repository.vault))
        lfs.put(BYTES)

        assert other.get(BYTES).status == 404
        assert other.batch("download", named(BYTES)).json["objects"][0]["error"]["code"] == 404


class TestLocks:
    @pytest.mark.parametrize(
        ("method", "place"),
        [("GET", "locks"), ("POST", "locks"), ("POST", "locks/verify"), ("POST", "locks/7/unlock")],
    )
    def test_are_not_kept(self, lfs: Lfs, method: str, place: str) -> None:
        answer = lfs.client(method, f"{lfs.git}/info/lfs/{place}")

        assert (answer.status, answer.json) == (404, {"message": "Git LFS locks are not kept here"})
        assert answer.headers["Content-Type"].partition(";")[0] == MEDIA


class TestTheAuditLog:
    def test_has_a_line_for_each_object_that_is_written_or_read(self, lfs: Lfs) -> None:
        vault, target = lfs.repository.vault, f"/projects/{lfs.repository.id}.git/gitlab-lfs/objects/{oid_of(BYTES)}"
        lfs.put(BYTES)
        written = last(vault, "lfs_object.upload")
        lfs.get(BYTES)
        read = last(vault, "lfs_object.download")

        assert (written["target"], written["actor"], written["status"]) == (f"{target}/{len(BYTES)}", "root", 200)
        assert (read["target"], read["actor"], read["status"]) == (target, "root", 200)
