"""libgit2 is loaded late, whole, and set up before anybody uses it."""

from __future__ import annotations

import subprocess
import sys

from pygit2 import enums

from vault.repositories.modes import FileMode


def test_a_server_without_repositories_does_not_load_it() -> None:
    program = "import sys, server.app, server.wiring, server.process; sys.exit('pygit2' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_what_is_used_of_it_first_is_set_up_already() -> None:
    program = (
        "from vault.repositories.libgit2 import pygit2\n"
        "assert pygit2.settings.owner_validation is False\n"
        "assert pygit2.settings.search_path[pygit2.enums.ConfigLevel.GLOBAL] == ''\n"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_modes_are_those_that_libgit2_knows() -> None:
    ours, theirs = FileMode.__members__, enums.FileMode.__members__

    assert {name: int(mode) for name, mode in ours.items()} | {"UNREADABLE": 0} == dict(theirs)
    assert all(hash(mode) == hash(theirs[name]) for name, mode in ours.items())
