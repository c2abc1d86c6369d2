"""A file that comes in pieces: sealed at once, in clear only while a parser may want it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.vault.core import Found
from vault.errors import Invalid
from vault.incoming import HEAD
from vault.models import Limits
from vault.secure_files import SecureFiles

if TYPE_CHECKING:
    from tests.vault.core import Core
    from vault.models import Project, SecureFile

CONTENT = bytes(range(256)) * 2000
UNKNOWN = Found(error="unrecognized")


class Sifter:
    """Gives the answer it was told to, and remembers what it was shown."""

    def __init__(self, answer: Found | None) -> None:
        self.answer = answer
        self.shown: list[tuple[str, bytes]] = []

    def __call__(self, name: str, head: bytes, /) -> Found | None:
        self.shown.append((name, head))
        return self.answer


@pytest.fixture
def project(core: Core) -> Project:
    return core.project(core.user())


def add(core: Core, project: Project, sifter: Sifter, data: bytes, *, name: str | None = "a.bin") -> SecureFile:
    """Send `data` in pieces, its name told before it or not, and add it."""
    files = SecureFiles(core.database, core.storage, core.reader, Limits(), sifter)
    incoming = files.incoming(project.id, name)
    try:
        for at in range(0, len(data), 10_000):
            incoming.write(data[at : at + 10_000])
        return files.add(project.id, "a.bin", incoming, "secret")
    finally:
        incoming.close()


def test_a_file_that_no_parser_knows_is_not_read(core: Core, project: Project) -> None:
    sifter = Sifter(UNKNOWN)
    stored = add(core, project, sifter, CONTENT)

    assert sifter.shown == [("a.bin", CONTENT[:HEAD])]
    assert core.reader.asked == []
    assert stored.metadata_error == "unrecognized"
    assert stored.checksum == hashlib.sha256(CONTENT).hexdigest()
    assert core.secure_files.content(project.id, stored.id)[1] == CONTENT


@pytest.mark.parametrize(("name", "shown"), [("a.bin", 1), (None, 0)], ids=["name first", "name last"])
def test_one_that_may_be_known_is_read_as_a_whole(core: Core, project: Project, name: str | None, shown: int) -> None:
    sifter = Sifter(None)
    add(core, project, sifter, CONTENT, name=name)

    assert len(sifter.shown) == shown
    assert core.reader.asked == [("a.bin", CONTENT, "secret")]


def test_a_small_one_is_read_without_a_look(core: Core, project: Project) -> None:
    sifter = Sifter(UNKNOWN)
    add(core, project, sifter, b"small")

    assert sifter.shown == []
    assert core.reader.asked == [("a.bin", b"small", "secret")]


def test_one_that_is_refused_leaves_nothing(core: Core, project: Project) -> None:
    kept = add(core, project, Sifter(UNKNOWN), CONTENT)
    with pytest.raises(Invalid, match="taken"):
        add(core, project, Sifter(UNKNOWN), CONTENT)

    assert list(core.blobs.ids()) == [kept.blob_id]


class TestAddingQuickly:
    """On the event loop: nobody is asked, and the commit is the catalog's."""

    @pytest.mark.parametrize(
        ("content", "told", "quick"),
        [(b"small", UNKNOWN, True), (b"small", None, False), (b"", UNKNOWN, True), (CONTENT, UNKNOWN, False)],
        ids=["unknown", "may be known", "empty", "large"],
    )
    def test_is_for_small_files_that_no_parser_knows(
        self, core: Core, project: Project, content: bytes, told: Found | None, *, quick: bool
    ) -> None:
        files = SecureFiles(core.database, core.storage, core.reader, Limits(), glance=Sifter(told))
        files.add(project.id, "first", b"a key is noted with the first file")
        core.reader.asked.clear()
        incoming = files.incoming(project.id, "a.bin")
        incoming.write(content)

        assert files.adds_quickly("a.bin", incoming) is quick
        stored = files.adding(project.id, "a.bin", incoming, queued=quick).result(20)

        assert bool(core.reader.asked) is not quick
        assert stored.metadata_error == ("unrecognized" if quick else None)
        assert files.content(project.id, stored.id)[1] == content

    def test_waits_for_a_key_that_the_catalog_does_not_know_yet(self, core: Core, project: Project) -> None:
        files = SecureFiles(core.database, core.storage, core.reader, Limits(), glance=Sifter(UNKNOWN))
        incoming = files.incoming(project.id, "a.bin")
        incoming.write(b"small")

        assert not files.adds_quickly("a.bin", incoming)
