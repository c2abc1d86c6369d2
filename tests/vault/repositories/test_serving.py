"""What git is started with, and that a hook which cannot run lets nothing through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vault.repositories.support import git
from vault.errors import Unavailable
from vault.models import Role
from vault.repositories import locks, program
from vault.repositories.serving import Backend

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.repositories.support import Site


BACKEND = Backend([], {}, ())


class TestAPush:
    def test_is_not_taken_while_the_hook_cannot_be_run(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """git would only warn of a hook that is not executable, and protect nothing."""
        (tmp_path / "pre-receive").write_text((program.HOOKS / "pre-receive").read_text())
        monkeypatch.setattr(program, "HOOKS", tmp_path)

        with (
            pytest.raises(Unavailable, match="cannot be run"),
            site.repositories.serving.pushing(site.project, site.user, Role.OWNER),
        ):
            pass

    def test_counts_as_git_at_work_while_it_lasts(self, site: Site) -> None:
        with site.repositories.serving.pushing(site.project, site.user, Role.OWNER) as backend:
            assert backend.inherit
            with locks.no_git_at_work(site.folder) as alone:
                assert not alone

    @pytest.mark.parametrize(("role", "may"), [(Role.DEVELOPER, "0"), (Role.MAINTAINER, "1")])
    def test_tells_the_hook_what_the_role_may(self, site: Site, role: Role, may: str) -> None:
        site.write("a")
        with site.repositories.serving.pushing(site.project, site.user, role) as backend:
            told = {key: value for key, value in backend.environment.items() if key.startswith("VAULT_")}
            ears = {int(told.pop("VAULT_ASKS")), int(told.pop("VAULT_ANSWERS"))}

        assert told == {"VAULT_DEFAULT_BRANCH": "main", "VAULT_PROTECTS_ALL": "0", "VAULT_MAY_PUSH": may}
        assert ears < set(backend.inherit)


class TestTheEnvironment:
    def test_has_nothing_of_this_processs_own(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("GIT_DIR", "GIT_TRACE", "LD_PRELOAD", "SECURE_FILES_ROOT_TOKEN", "GIT_SSH_COMMAND"):
            monkeypatch.setenv(name, "x")

        assert "x" not in program.environment().values()
        with site.repositories.serving.fetching(site.project) as backend:
            assert "x" not in backend.environment.values()

    def test_outranks_the_repositorys_configuration(self, site: Site) -> None:
        site.write("a")
        with (site.folder / "config").open("a") as config:
            config.write("[core]\n\thooksPath = /elsewhere\n\tfsync = none\n[receive]\n\tfsckObjects = false\n")

        with site.repositories.serving.pushing(site.project, site.user, Role.OWNER) as backend:
            told = {
                key: git(f"--git-dir={site.folder}", "config", key, variables=backend.environment)
                for key in ("core.hooksPath", "core.fsync", "receive.fsckObjects", "gc.auto")
            }

        hooks = str(program.HOOKS)
        assert told == {"core.hooksPath": hooks, "core.fsync": "all", "receive.fsckObjects": "true", "gc.auto": "0"}


class TestAfterAPush:
    def test_branches_that_came_and_went_are_noted(self, site: Site) -> None:
        site.write("a", branch="topic")
        assert (site.project.default_branch, site.repositories.empty(site.id)) == ("topic", False)

        site.git("update-ref", "-d", "refs/heads/topic")
        site.repositories.serving.pushed(site.project, BACKEND)
        assert site.repositories.empty(site.id)

        site.git("update-ref", "refs/heads/master", site.git("commit-tree", site.git("mktree"), "-m", "m"))
        site.repositories.serving.pushed(site.project, BACKEND)
        assert (site.project.default_branch, site.repositories.empty(site.id)) == ("master", False)
        assert (site.folder / "HEAD").read_text() == "ref: refs/heads/master\n"
