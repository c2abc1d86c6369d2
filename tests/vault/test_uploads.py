"""The rules of Markdown uploads, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vault.core import LARGE, Core, as_caller
from vault.errors import BlobMissing, NotFound
from vault.models import Page
from vault.uploads import Uploads

if TYPE_CHECKING:
    from vault.models import Project, Upload, User


@pytest.fixture
def uploads(core: Core) -> Uploads:
    return Uploads(core.database, core.storage, core.tokens.digest)


@pytest.fixture
def user(core: Core) -> User:
    return core.user()


@pytest.fixture
def project(core: Core, user: User) -> Project:
    return core.project(user)


def add(uploads: Uploads, user: User, project: Project, data: bytes = b"1") -> tuple[Upload, str]:
    with uploads.writer(project.id) as writer:
        writer.write(data)
        return uploads.add(as_caller(user), project.id, "a.png", writer)


class TestAdd:
    def test_tells_size_checksum_and_who_it_was(self, uploads: Uploads, user: User, project: Project) -> None:
        upload, secret = add(uploads, user, project)

        assert (upload.size, upload.uploader_username) == (1, user.username)
        assert uploads.find(project.id, secret, "a.png") == upload
        assert uploads.content(upload).read(0, 1) == b"1"

    def test_keeps_no_secret_that_a_reader_of_the_catalog_could_use(
        self, core: Core, uploads: Uploads, user: User, project: Project
    ) -> None:
        _, secret = add(uploads, user, project)

        assert secret not in str(core.sql("SELECT * FROM uploads"))

    @pytest.mark.parametrize("size", [1, LARGE])
    def test_keeps_nothing_when_the_project_went_away_meanwhile(
        self, core: Core, uploads: Uploads, user: User, project: Project, size: int
    ) -> None:
        with uploads.writer(project.id) as writer:
            writer.write(b"x" * size)
            core.projects.delete(project.id)

            with pytest.raises(NotFound):
                uploads.add(as_caller(user), project.id, "a.png", writer)

        assert list(core.blobs.ids()) == []
        assert core.sql("SELECT * FROM blobs") == []

    @pytest.mark.parametrize(("size", "quick"), [(0, True), (LARGE - 1, True), (LARGE, False)])
    def test_waits_for_nobody_with_a_small_one(
        self, uploads: Uploads, user: User, project: Project, size: int, *, quick: bool
    ) -> None:
        add(uploads, user, project)  # the catalog knows the key from now on
        with uploads.writer(project.id) as writer:
            writer.write(b"x" * size)

            assert uploads.adds_quickly(writer) is quick
            upload, secret = uploads.adding(as_caller(user), project.id, "a.png", writer, queued=quick).result(20)

        assert uploads.content(upload).read(0, size) == b"x" * size
        assert uploads.find(project.id, secret, "a.png") == upload

    def test_keeps_nothing_of_what_was_only_begun(self, core: Core, uploads: Uploads, project: Project) -> None:
        with uploads.writer(project.id) as writer:
            writer.write(b"x" * LARGE)

        assert list(core.blobs.ids()) == []


class TestRemove:
    def test_erases_key_and_bytes(self, core: Core, uploads: Uploads, user: User, project: Project) -> None:
        upload, secret = add(uploads, user, project, b"x" * LARGE)

        uploads.remove(project.id, upload.id)

        assert core.sql("SELECT * FROM blobs") == []
        assert core.storage.remove_noted() == 1
        assert list(core.blobs.ids()) == []
        with pytest.raises(NotFound):
            uploads.find(project.id, secret, "a.png")

    def test_of_a_project_takes_all(self, core: Core, uploads: Uploads, user: User, project: Project) -> None:
        for _ in range(3):
            add(uploads, user, project)

        core.database.write(lambda tx: uploads.forget_project(tx, project.id))

        assert uploads.page(project.id, Page()).rows == []
        assert core.sql("SELECT * FROM blobs") == []


class TestContent:
    """What was deleted between two looks is missing; what is still there and cannot be read is damaged."""

    def test_of_an_upload_deleted_meanwhile_is_missing(
        self, core: Core, uploads: Uploads, user: User, project: Project
    ) -> None:
        upload, _ = add(uploads, user, project, b"x" * LARGE)
        content = uploads.content(upload)
        pieces = content.open().pieces()
        uploads.remove(project.id, upload.id)
        core.storage.remove_noted()

        with pytest.raises(NotFound):
            content.read(0, upload.size)
        with pytest.raises(NotFound):
            next(content.pieces(0, upload.size))
        with pytest.raises(BlobMissing):
            next(pieces)

    def test_whose_bytes_are_lost_is_damaged(self, core: Core, uploads: Uploads, user: User, project: Project) -> None:
        upload, _ = add(uploads, user, project, b"x" * LARGE)
        core.blobs.delete(upload.blob_id)

        with pytest.raises(BlobMissing):
            uploads.content(upload).read(0, 10)
