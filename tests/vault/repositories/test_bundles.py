"""A repository as one file, while others write to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vault.repositories.support import git
from vault.errors import Damaged
from vault.repositories import bundles, checking
from vault.repositories.housekeeping import pack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.repositories.support import Site


def heads(file: Path) -> bytes:
    return git("bundle", "list-heads", str(file)).encode() + b"\n"


class TestABundle:
    def test_has_every_ref_where_it_was_though_it_has_moved_meanwhile(self, site: Site, tmp_path: Path) -> None:
        """Git's own bundle of a repository leaves such a ref out, without a word."""
        site.write("a")
        site.write("b", branch="other", start_branch="main")
        refs, file = bundles.refs_of(site.folder), tmp_path / "x.bundle"
        site.write("c")
        assert pack(site.folder)
        bundles.bundle(site.folder, refs, file)

        assert heads(file) == refs
        assert [path.name for path in tmp_path.iterdir() if path.suffix in {".bundle", ".git"}] == ["x.bundle"]

    def test_makes_the_same_repository_again(self, site: Site, tmp_path: Path) -> None:
        site.write("a")
        site.git("tag", "-a", "v1", "-m", "one", "main")
        refs, file = bundles.refs_of(site.folder), tmp_path / "x.bundle"
        bundles.bundle(site.folder, refs, file)
        bundles.unbundle(file, tmp_path / "aa" / "x.git")

        assert bundles.refs_of(tmp_path / "aa" / "x.git") == refs
        assert checking.faults(tmp_path / "aa" / "x.git") == []

    def test_of_no_refs_is_an_empty_repository(self, site: Site, tmp_path: Path) -> None:
        assert bundles.refs_of(site.folder) == b""
        bundles.unbundle(None, tmp_path / "aa" / "x.git")

        assert bundles.refs_of(tmp_path / "aa" / "x.git") == b""

    def test_that_cannot_be_read_leaves_nothing(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / "x.bundle").write_bytes(b"rubbish")
        with pytest.raises(Damaged):
            bundles.unbundle(tmp_path / "x.bundle", tmp_path / "aa" / "x.git")

        assert not (tmp_path / "aa" / "x.git").exists()

    def test_of_what_is_damaged_is_refused_and_leaves_nothing(self, site: Site, tmp_path: Path) -> None:
        site.write("a")
        refs, (first, *_) = bundles.refs_of(site.folder), sorted((site.folder / "objects").glob("??/*"))
        first.unlink()
        with pytest.raises(Damaged, match="git cannot read all of"):
            bundles.bundle(site.folder, refs, tmp_path / "x.bundle")

        assert not list(tmp_path.glob("x*"))
