"""Where groups and projects lie: the rules of their paths, and the former paths that still lead to a project."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import access as sql
from vault.errors import Invalid
from vault.people import begin_anew, key_of

if TYPE_CHECKING:
    from vault.catalog.database import Transaction
    from vault.models import Namespace, Project

# GitLab's path rule: starts with a letter, digit or `_`; then also `-` and `.`; no `.git` or `.atom` end.
PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")
FULL_PATH = re.compile(r"[A-Za-z0-9_.\-]+(?:/[A-Za-z0-9_.\-]+)*")
PATH_PROBLEM = (
    "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-', end in '.git' or end in '.atom'"
)
NOT_SLUG = re.compile(r"[^a-z0-9_.\-]+")


def slug(name: str) -> str:
    """Return the path GitLab would make of a project's name."""
    return NOT_SLUG.sub("-", name.lower()).strip("-.")


def check_name(name: str, path: str) -> None:
    """Raise `Invalid` for a name or a last part of a path that GitLab would not take."""
    if not name.strip():
        raise Invalid("name", "can't be blank")
    if len(name) > 255:
        raise Invalid("name", "is too long (maximum is 255 characters)")
    if not PATH.fullmatch(path) or path.endswith((".git", ".atom", ".")) or len(path) > 255:
        raise Invalid("path", PATH_PROBLEM)


def take(tx: Transaction, full_path: str, taken: Exception) -> None:
    """Make a path free for somebody new, or raise `taken` where somebody lies there.

    A project that only lay there once is led to from there no longer.
    """
    key = key_of(full_path)
    if tx.query(sql.NAMESPACE_BY_PATH, key=key) or tx.query(sql.PROJECT_BY_PATH, key=key):
        raise taken
    tx.query(sql.DELETE_REDIRECT, key=key)


def move(tx: Transaction, project: Project, namespace: Namespace, path: str, taken: Exception) -> None:
    """Have a project lie at `path` in a namespace, and its former path lead to it. Raises `taken`.

    The namespace is locked, and the project before it, as where a group is deleted with its projects.
    """
    full_path = f"{namespace.full_path}/{path}"
    if key_of(full_path) != key_of(project.full_path):
        take(tx, full_path, taken)
    _put(tx, project.id, namespace.id, path, project.full_path, full_path)


def move_group(tx: Transaction, group: Namespace, path: str, taken: Exception) -> None:
    """Have a group lie at `path` below its parent, with all that is in it, to which the former paths lead.

    Raises `taken`. The group is locked, and its parent before it.
    """
    above = group.full_path.rpartition("/")[0]
    full_path = f"{above}/{path}" if above else path
    if key_of(full_path) != key_of(group.full_path):
        take(tx, full_path, taken)
        begin_anew(tx, full_path)
    _carry(tx, group.id, path, full_path)


def _carry(tx: Transaction, namespace_id: int, path: str, full_path: str) -> None:
    tx.query(sql.MOVE_NAMESPACE, id=namespace_id, path=path, full_path=full_path, key=key_of(full_path))
    for project in tx.query(sql.PROJECTS_IN, id=namespace_id):
        place = f"{full_path}/{project['path']}"
        _put(tx, project["id"], namespace_id, project["path"], project["full_path"], place)
    for child in tx.query(sql.CHILD_NAMESPACES, id=namespace_id):
        tx.lock("namespaces", child["id"])  # who makes something in it sees the one path or the other
        _carry(tx, child["id"], child["path"], f"{full_path}/{child['path']}")


def _put(tx: Transaction, project_id: int, namespace_id: int, path: str, former: str, full_path: str) -> None:
    place = {"path": path, "full_path": full_path, "key": key_of(full_path)}
    tx.query(sql.MOVE_PROJECT, id=project_id, namespace=namespace_id, **place)
    if key_of(former) != key_of(full_path):
        tx.query(sql.ADD_REDIRECT, key=key_of(former), project=project_id, now=clock.now())
