"""Groups and projects: how they are named, made, found and removed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from vault import clock
from vault.addresses import FULL_PATH, check_name, move, move_group, slug, take
from vault.catalog import access as sql
from vault.catalog import visible
from vault.errors import Conflict, Invalid, NotFound
from vault.models import Listing, Namespace, Page, Principal, Project, Role, Visibility
from vault.people import begin_anew, key_of, like

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.catalog.database import Database, Row, Scalar, Transaction

TAKEN = "has already been taken"


class Projects:
    """The namespaces and projects of one vault."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._on_delete: list[Callable[[Transaction, int], None]] = []

    def on_delete(self, hook: Callable[[Transaction, int], None]) -> None:
        """Have `hook(transaction, project id)` remove what a family keeps, when a project is deleted."""
        self._on_delete.append(hook)

    # Groups

    def create_group(
        self,
        creator: Principal,
        name: str,
        path: str,
        *,
        parent_id: int | None = None,
        visibility: Visibility = Visibility.PRIVATE,
        description: str = "",
    ) -> Namespace:
        """Make a group owned by its creator. Raises `Invalid`, `NotFound` (parent), `Conflict` (path taken)."""
        check_name(name, path)
        values: dict[str, Any] = {
            "kind": "group",
            "name": name,
            "path": path,
            "parent": parent_id,
            "owner": None,
            "visibility": visibility,
            "description": description,
            "now": clock.now(),
        }

        def work(tx: Transaction) -> Namespace:
            # Groups and projects in it share their names.
            parent = _locked_namespace(tx, parent_id) if parent_id is not None else None
            full_path = f"{parent.full_path}/{path}" if parent else path
            take(tx, full_path, Conflict('Failed to save group {:path=>["has already been taken"]}'))
            begin_anew(tx, full_path)
            place = {"full_path": full_path, "key": key_of(full_path)}
            group = namespace_of(tx.query(sql.ADD_NAMESPACE, **values, **place)[0])
            tx.query(
                sql.PUT_MEMBER,
                kind="group",
                source=group.id,
                user=creator.user.id,
                level=Role.OWNER,
                expires_at=None,
                now=values["now"],
            )
            return group

        return self._db.write(work)

    def namespace(self, namespace_id: int) -> Namespace:
        """Return a namespace by id. Raises `NotFound`."""
        rows = self._db.query(sql.NAMESPACE, id=namespace_id)
        if not rows:
            raise NotFound("Namespace")
        return namespace_of(rows[0])

    def namespace_at(self, full_path: str) -> Namespace:
        """Return a namespace by its full path, whatever its case. Raises `NotFound`."""
        rows = self._at(sql.NAMESPACE_BY_PATH, full_path)
        if not rows:
            raise NotFound("Namespace")
        return namespace_of(rows[0])

    def _at(self, statement: str, full_path: str) -> list[Row]:
        # What cannot be a path is not looked for: a NUL in it, for one, no engine would take.
        return self._db.query(statement, key=key_of(full_path)) if FULL_PATH.fullmatch(full_path) else []

    def namespace_of_user(self, user_id: int) -> Namespace:
        """Return the user's own namespace."""
        return namespace_of(self._db.query(sql.NAMESPACE_OF_USER, user=user_id)[0])

    def groups(self, principal: Principal, page: Page, search: str | None = None) -> Listing[Namespace]:
        """Return the groups the caller may know of, by path."""
        user = principal.user
        where = {"admin": int(user.is_admin), "user": user.id, "term": like(search), "today": clock.today()}
        total = self._db.query(sql.GROUPS_COUNT, **where, most=page.most)[0]["n"]
        rows = self._db.query(sql.GROUPS, **where, size=page.size, offset=page.offset)
        return Listing([namespace_of(row) for row in rows], total)

    def update_group(self, group_id: int, changes: dict[str, Any]) -> Namespace:
        """Change name, path, description or visibility; keys that are not given stay.

        The former paths of the projects in it lead to them. Raises `Invalid` for a name or a path that cannot be or is
        taken, `NotFound`.
        """
        parent_id = self.namespace(group_id).parent_id

        def work(tx: Transaction) -> Namespace:
            if parent_id is not None:
                tx.lock("namespaces", parent_id)
            group = _locked_namespace(tx, group_id)
            path, name = changes.get("path", group.path), changes.get("name", group.name)
            check_name(name, path)
            if path != group.path:
                move_group(tx, group, path, Invalid("path", TAKEN))
            values = {
                "name": name,
                "description": changes.get("description", group.description),
                "visibility": changes.get("visibility", group.visibility),
            }
            return namespace_of(tx.query(sql.UPDATE_GROUP, id=group_id, **values)[0])

        return self._db.write(work)

    def delete_group(self, namespace_id: int) -> None:
        """Remove a group with its subgroups and projects."""
        self._db.write(lambda tx: self._delete_group(tx, namespace_id))

    def _delete_group(self, tx: Transaction, namespace_id: int) -> None:
        for child in tx.query(sql.CHILD_NAMESPACES, id=namespace_id):
            self._delete_group(tx, child["id"])
        for project in tx.query(sql.PROJECTS_IN, id=namespace_id):
            self._delete(tx, project["id"])
        tx.query(sql.DELETE_MEMBERS, kind="group", source=namespace_id)
        tx.query(sql.DELETE_NAMESPACE, id=namespace_id)

    # Projects

    def create(
        self,
        creator: Principal,
        name: str,
        path: str,
        *,
        namespace: Namespace | None = None,
        visibility: Visibility = Visibility.PRIVATE,
        description: str = "",
        default_branch: str = "main",
        settings: dict[str, Any] | None = None,
    ) -> Project:
        """Make a project in a namespace, by default the creator's own. Raises `Invalid` also when the path is taken."""
        name, path = name or path, path or slug(name)
        check_name(name, path)
        namespace_id = (namespace or self.namespace_of_user(creator.user.id)).id
        values: dict[str, Any] = {
            "namespace": namespace_id,
            "name": name,
            "path": path,
            "description": description,
            "default_branch": default_branch,
            "visibility": visibility,
            "settings": json.dumps(settings or {}),
            "creator": creator.user.id,
            "now": clock.now(),
        }
        clash = Invalid("project_namespace.name", TAKEN, also={"name": TAKEN, "path": TAKEN})

        def work(tx: Transaction) -> Project:
            full_path = f"{_locked_namespace(tx, namespace_id).full_path}/{path}"
            take(tx, full_path, clash)
            place = {"full_path": full_path, "key": key_of(full_path)}
            return project_of(tx.query(sql.ADD_PROJECT, **values, **place)[0])

        return self._db.write(work)

    def get(self, project_id: int) -> Project:
        """Return a project by id. Raises `NotFound`."""
        recent = self._db.known()
        found: Project | None = recent.get(("project", project_id))
        if found is None:
            rows = self._db.query(sql.PROJECT, id=project_id)
            if not rows:
                raise NotFound("Project")
            found = project_of(rows[0])
            recent.keep(("project", project_id), found, len(rows[0]["settings"]))
        return found

    def at(self, full_path: str) -> Project:
        """Return a project by `group/name`, whatever its case. Raises `NotFound`."""
        rows = self._at(sql.PROJECT_BY_PATH, full_path)
        if not rows:
            raise NotFound("Project")
        return project_of(rows[0])

    def formerly_at(self, full_path: str) -> Project:
        """Return the project that lay there until it was renamed or moved. Raises `NotFound`."""
        rows = self._at(sql.FORMER_PROJECT, full_path)
        if not rows:
            raise NotFound("Project")
        return project_of(rows[0])

    def find(
        self,
        principal: Principal | None,
        page: Page,
        *,
        membership: bool = False,
        owned: bool = False,
        search: str | None = None,
        visibility: str | None = None,
    ) -> Listing[Project]:
        """Return the projects the caller may know of, newest first."""
        user = principal.user if principal else None
        where: dict[str, Scalar] = {
            "user": user.id if user else 0,
            "level": int(Role.NONE),
            "today": clock.today(),
            "term": like(search),
            "visibility": visibility if user else Visibility.PUBLIC,
        }
        asked = visible.Asked(
            everything=user is not None and user.is_admin and not membership,
            membership=membership,
            owned=owned,
            of_visibility=where["visibility"] is not None,
            matching=where["term"] is not None,
        )
        cut = {"size": page.size, "offset": page.offset, "most": page.most}
        rows = self._db.query(visible.page(asked), **where, **cut)
        if not rows:
            return Listing([], self._db.query(visible.count(asked), **where, most=page.most)[0]["n"])
        if asked.everything and asked.matching and rows[0]["n"] == page.most:
            rows = self._db.query(visible.newest(asked), **where, **cut)
        return Listing([project_of(row) for row in rows], rows[0]["n"])

    def update(self, project_id: int, changes: dict[str, Any]) -> Project:
        """Change name, path, description, default branch, visibility or settings; keys that are not given stay.

        Its former path leads to it from then on, until somebody else takes it. Raises `Invalid` for a name or a path
        that cannot be or is taken, `NotFound`.
        """

        def work(tx: Transaction) -> Project:
            project = _locked(tx, project_id)
            values = {
                "name": changes.get("name", project.name),
                "description": changes.get("description", project.description),
                "default_branch": changes.get("default_branch", project.default_branch),
                "visibility": changes.get("visibility", project.visibility),
                "settings": json.dumps({**project.settings, **changes.get("settings", {})}),
            }
            path = changes.get("path", project.path)
            check_name(values["name"], path)
            if path != project.path:
                namespace = _locked_namespace(tx, project.namespace_id)
                move(tx, project, namespace, path, Invalid("path", TAKEN, also={"name": TAKEN}))
            return project_of(tx.query(sql.UPDATE_PROJECT, id=project.id, **values)[0])

        return self._db.write(work)

    def transfer(self, project_id: int, namespace_id: int) -> Project:
        """Have a project lie in another namespace, under the same last part of its path. Raises `Conflict`."""

        def work(tx: Transaction) -> Project:
            project = _locked(tx, project_id)
            if project.namespace_id == namespace_id:
                raise Conflict("Project is already in this namespace.")
            clash = Conflict("Project with same name or path in target namespace already exists")
            move(tx, project, _locked_namespace(tx, namespace_id), project.path, clash)
            return project_of(tx.query(sql.PROJECT, id=project_id)[0])

        return self._db.write(work)

    def delete(self, project_id: int) -> None:
        """Remove a project and all that its families keep; their keys are erased at once."""
        self._db.write(lambda tx: self._delete(tx, project_id))

    def _delete(self, tx: Transaction, project_id: int) -> None:
        tx.lock("projects", project_id)  # what is being uploaded comes before, or finds no project
        for hook in self._on_delete:
            hook(tx, project_id)
        tx.query(sql.DELETE_MEMBERS, kind="project", source=project_id)
        tx.query(sql.DELETE_PROJECT, id=project_id)


def check_default_branch(name: str) -> str:
    """Return a branch name that git would take. Raises `Invalid`."""
    if (
        not name
        or name.startswith(("-", "/", "."))
        or re.search(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|@\{|//|/$|\.lock$", name)
    ):
        raise Invalid("default_branch", "is invalid")
    return name


def _locked(tx: Transaction, project_id: int) -> Project:
    """Return a project that nobody else changes while the transaction lasts. Raises `NotFound`."""
    return project_of(_locked_row(tx, "projects", sql.PROJECT, project_id, "Project"))


def _locked_namespace(tx: Transaction, namespace_id: int) -> Namespace:
    """Return a namespace in which nobody else takes a path while the transaction lasts. Raises `NotFound`."""
    return namespace_of(_locked_row(tx, "namespaces", sql.NAMESPACE, namespace_id, "Namespace"))


def _locked_row(tx: Transaction, table: str, statement: str, row_id: int, what: str) -> Row:
    tx.lock(table, row_id)
    rows = tx.query(statement, id=row_id)
    if not rows:
        raise NotFound(what)
    return rows[0]


def namespace_of(row: Row) -> Namespace:
    """Return the namespace in a row of `namespaces`."""
    values = {key: value for key, value in row.items() if key != "path_key"}
    return Namespace(**{**values, "visibility": Visibility(row["visibility"])})


def project_of(row: Row) -> Project:
    """Return the project in a row of `projects`, which may say how many there are (`n`)."""
    values = {key: value for key, value in row.items() if key not in ("path_key", "n")}
    return Project(
        **{
            **values,
            "visibility": Visibility(row["visibility"]),
            "archived": bool(row["archived"]),
            "settings": json.loads(row["settings"]),
        }
    )
