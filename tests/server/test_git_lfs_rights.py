"""Who may read and write Git LFS objects: by a token, and by the pass that the batch API gives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.server.lfs_support import BYTES, DEVELOPER, GUEST, MEDIA, REPORTER, Lfs, named, passes
from tests.server.repository_support import Repository
from tests.server.test_audit import last

if TYPE_CHECKING:
    from tests.harness import Client, RunningVault


@pytest.fixture
def lfs(vault: RunningVault) -> Lfs:
    return Lfs(Repository(vault))


class TestRights:
    def ask(self, lfs: Lfs, client: Client) -> tuple[int, int, int, int]:
        """Return how reading and writing are answered: batch and transfer of each."""
        his = Lfs(lfs.repository, client)
        return (
            his.batch("download", named(BYTES)).status,
            his.get(BYTES).status,
            his.batch("upload", named(b"new")).status,
            his.put(b"new").status,
        )

    @pytest.mark.parametrize(
        ("visibility", "level", "read", "write"),
        [
            ("private", None, 404, 404),
            ("private", GUEST, 403, 403),
            ("private", REPORTER, 200, 403),
            ("private", DEVELOPER, 200, 200),
            ("internal", None, 200, 403),
            ("public", None, 200, 403),
        ],
    )
    def test_are_those_of_git(
        self, vault: RunningVault, visibility: str, level: int | None, read: int, write: int
    ) -> None:
        lfs = Lfs(Repository(vault, visibility))
        lfs.put(BYTES)
        client = vault.member(lfs.repository.id, level) if level else vault.user()[1]

        assert self.ask(lfs, client) == (read, read, write, write)

    @pytest.mark.parametrize(("visibility", "read"), [("private", 401), ("internal", 401), ("public", 200)])
    def test_of_nobody(self, vault: RunningVault, visibility: str, read: int) -> None:
        lfs = Lfs(Repository(vault, visibility))
        lfs.put(BYTES)

        assert self.ask(lfs, vault.nobody) == (read, read, 401, 401)
        refused = Lfs(lfs.repository, vault.nobody).put(BYTES)
        assert refused.headers["LFS-Authenticate"] == 'Basic realm="GitLab"'
        assert refused.headers["Content-Type"].partition(";")[0] == MEDIA

    @pytest.mark.parametrize(
        ("scope", "read", "write"),
        [("read_repository", 200, 403), ("write_repository", 200, 200), ("read_api", 403, 403)],
    )
    def test_of_a_token_go_as_far_as_its_scopes(
        self, vault: RunningVault, lfs: Lfs, scope: str, read: int, write: int
    ) -> None:
        lfs.put(BYTES)

        assert self.ask(lfs, vault.member(lfs.repository.id, DEVELOPER, scope)) == (read, read, write, write)

    def test_of_a_job_are_to_read(self, vault: RunningVault, lfs: Lfs) -> None:
        lfs.put(BYTES)
        _, job = vault.job(vault.root, lfs.repository.id)

        assert self.ask(lfs, job) == (200, 200, 403, 403)

    def test_end_where_the_repository_is_switched_off(self, vault: RunningVault, lfs: Lfs) -> None:
        lfs.put(BYTES)
        vault.root.put(f"/projects/{lfs.repository.id}", json={"repository_access_level": "disabled"})

        assert self.ask(lfs, vault.root) == (403, 403, 403, 403)


class TestAPass:
    """What the batch API has its clients show, who then need no token."""

    @pytest.fixture
    def shown(self, lfs: Lfs) -> dict[str, dict[str, str]]:
        """The headers for reading and for writing."""
        lfs.put(b"here")
        asked = {"download": b"here", "upload": BYTES}
        return {name: passes(lfs.batch(name, named(content)))["header"] for name, content in asked.items()}

    @pytest.fixture
    def bare(self, lfs: Lfs) -> Lfs:
        return Lfs(lfs.repository, lfs.repository.vault.nobody)

    def test_is_all_that_a_transfer_needs(self, bare: Lfs, shown: dict[str, dict[str, str]]) -> None:
        assert bare.put(BYTES, headers=shown["upload"]).status == 200
        verified = bare.client.post(f"{bare.git}/info/lfs/verify", json=named(BYTES), headers=shown["upload"])
        assert verified.status == 200
        assert bare.get(BYTES, headers=shown["download"]).body == BYTES
        assert last(bare.repository.vault, "lfs_object.download")["actor"] == "root"

    def test_to_read_is_none_to_write(self, bare: Lfs, shown: dict[str, dict[str, str]]) -> None:
        assert bare.put(BYTES, headers=shown["download"]).status == 403
        assert bare.get(b"here", headers=shown["upload"]).status == 200

    def test_is_for_one_project(self, vault: RunningVault, shown: dict[str, dict[str, str]]) -> None:
        other = Lfs(Repository(vault))
        other.put(BYTES)

        assert Lfs(other.repository, vault.nobody).get(BYTES, headers=shown["download"]).status == 403

    def test_is_no_login_elsewhere(self, bare: Lfs, shown: dict[str, dict[str, str]]) -> None:
        text = shown["upload"]["LFS-Pass"]

        assert bare.client.get("/user", headers=shown["upload"]).status == 401
        assert bare.client.get("/user", headers={"PRIVATE-TOKEN": text}).status == 401
        assert bare.client.get(f"{bare.git}/info/refs?service=git-upload-pack", headers=shown["upload"]).status == 401

    def test_that_was_changed_is_refused(self, bare: Lfs, shown: dict[str, dict[str, str]]) -> None:
        text = shown["upload"]["LFS-Pass"]
        project, _, rest = text.partition("-")

        for wrong in (f"{int(project) + 1}-{rest}", text[:-1] + ("0" if text[-1] != "0" else "1"), "", "x", "é"):
            assert bare.get(b"here", headers={"LFS-Pass": wrong.encode()}).status == 401, wrong
        assert (
            bare.get(b"here", headers={"LFS-Pass": shown["download"]["LFS-Pass"].replace("-r-", "-w-")}).status == 401
        )

    def test_ends_after_an_hour(
        self, bare: Lfs, shown: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.time()
        monkeypatch.setattr("vault.lfs_passes.time.time", lambda: now + 3601)

        assert bare.get(b"here", headers=shown["download"]).status == 401

    def test_ends_with_the_token(self, vault: RunningVault, lfs: Lfs) -> None:
        lfs.put(BYTES)
        client = vault.member(lfs.repository.id, DEVELOPER)
        shown = passes(Lfs(lfs.repository, client).batch("download", named(BYTES)))["header"]
        client.delete("/personal_access_tokens/self")

        assert Lfs(lfs.repository, vault.nobody).get(BYTES, headers=shown).status == 401

    def test_ends_with_the_job(self, vault: RunningVault, lfs: Lfs) -> None:
        lfs.put(BYTES)
        made, job = vault.job(vault.root, lfs.repository.id)
        shown = passes(Lfs(lfs.repository, job).batch("download", named(BYTES)))["header"]
        bare = Lfs(lfs.repository, vault.nobody)
        assert bare.get(BYTES, headers=shown).status == 200
        job.put(f"/jobs/{made['id']}", json={"token": job.token, "state": "success"})

        assert bare.get(BYTES, headers=shown).status == 401

    def test_goes_no_further_than_its_owners_role(self, vault: RunningVault, lfs: Lfs) -> None:
        user, client = vault.user()
        member = {"user_id": user, "access_level": DEVELOPER}
        vault.root.post(f"/projects/{lfs.repository.id}/members", json=member)
        shown = passes(Lfs(lfs.repository, client).batch("upload", named(BYTES)))["header"]
        vault.root.put(f"/projects/{lfs.repository.id}/members/{user}", json={"access_level": REPORTER})

        assert Lfs(lfs.repository, vault.nobody).put(BYTES, headers=shown).status == 403
