"""What a role permits in a project's repository, as GitLab has it by default: the default branch is protected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.models import RepositoryAccess, Role, Visibility

if TYPE_CHECKING:
    from vault.models import Project


def may_read(project: Project, role: Role) -> bool:
    """Say whether a caller who may know of the project may read its files; nobody may where they are switched off.

    Who may not read does not write either.
    """
    if project.repository_access is RepositoryAccess.DISABLED:
        return False
    if project.visibility is Visibility.PRIVATE:
        return role >= Role.REPORTER
    return role >= Role.GUEST or project.repository_access is RepositoryAccess.ENABLED


def may_push(project: Project, role: Role, branch: str, *, empty: bool) -> bool:
    """Say whether a role may move a branch; while the repository is empty, every branch counts as protected."""
    protected = empty or branch == project.default_branch
    return role >= (Role.MAINTAINER if protected else Role.DEVELOPER)
