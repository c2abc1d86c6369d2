"""Who may do what: from a caller and a project to a role, and from a role to yes or no.

What a caller may not know of does not exist for him: a hidden project is the same `NotFound` as a missing one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import access as sql
from vault.errors import Forbidden, NotFound, ProjectMoved
from vault.models import Member, Namespace, Principal, Project, Role, User, Visibility
from vault.tokens import user_of

if TYPE_CHECKING:
    from vault.catalog.database import Database, Transaction
    from vault.projects import Projects

DIGITS = frozenset("0123456789")
LARGEST_ID = 2**63 - 1


def parse_id(text: str) -> int | None:
    """Return a record's id, or None when the text cannot be one (letters, a sign, zero, beyond 64 bits)."""
    if not text or len(text) > 19 or not DIGITS.issuperset(text):
        return None
    number = int(text)
    return number if 0 < number <= LARGEST_ID else None


def _who(principal: Principal | None) -> tuple[int, int] | None:
    """Return what is asked of a caller before he is let to a project: the user that he is, and his job."""
    if principal is None:
        return None
    return principal.user.id, principal.job.id if principal.job is not None else 0


class Access:
    """Decides over projects and groups for a principal, or for nobody (None)."""

    def __init__(self, database: Database, projects: Projects) -> None:
        self._db = database
        self._projects = projects

    # Roles

    def role(self, principal: Principal | None, project: Project) -> Role:
        """Return the caller's highest access level in the project, inherited ones included."""
        if principal is None or (principal.job is not None and principal.job.project_id != project.id):
            return Role.NONE
        if principal.user.is_admin:
            return Role.OWNER
        # By date: a membership may end without anybody's commit.
        recent, key = self._db.known(), ("role", project.id, principal.user.id, clock.today())
        role: Role | None = recent.get(key)
        if role is None:
            direct = self._level("project", project.id, principal.user)
            namespace = self._projects.namespace(project.namespace_id)
            role = max(direct, self._namespace_level(namespace, principal.user))
            recent.keep(key, role)
        return role

    def group_role(self, principal: Principal, group: Namespace) -> Role:
        """Return the caller's highest access level in a namespace."""
        return Role.OWNER if principal.user.is_admin else self._namespace_level(group, principal.user)

    def levels(self, principal: Principal | None, project: Project) -> tuple[Role | None, Role | None]:
        """Return the caller's own level in the project and in its group, None where there is none."""
        if principal is None:
            return None, None
        direct = self._level("project", project.id, principal.user)
        inherited = self._namespace_level(self._projects.namespace(project.namespace_id), principal.user)
        return direct or None, inherited or None

    def _namespace_level(self, namespace: Namespace, user: User) -> Role:
        if namespace.kind == "user":
            return Role.OWNER if namespace.owner_id == user.id else Role.NONE
        level = self._level("group", namespace.id, user)
        if namespace.parent_id is None:
            return level
        return max(level, self._namespace_level(self._projects.namespace(namespace.parent_id), user))

    def _level(self, kind: str, source: int, user: User) -> Role:
        rows = self._db.query(sql.MEMBER_LEVEL, kind=kind, source=source, user=user.id, today=clock.today())
        return Role(rows[0]["access_level"]) if rows else Role.NONE

    # Projects and groups as a caller names them

    def project(self, principal: Principal | None, ref: str, needed: Role = Role.NONE) -> Project:
        """Return the project called `ref`, a number or a full path.

        Raises `NotFound("Project")` when it is missing or hidden, `ProjectMoved` when the path is a former one,
        `Forbidden` when the caller's role is below `needed`.
        """
        recent, key = self._db.known(), ("project for", ref, needed, _who(principal), clock.today())
        project: Project | None = recent.get(key)
        if project is None:
            project, moved = self._named(ref)
            role = self.role(principal, project)
            if not self.visible(principal, project, role):
                self._refuse_hidden(principal, project)
            if moved:
                raise ProjectMoved(project)
            if role < needed:
                raise Forbidden
            recent.keep(key, project)
        return project

    def visible(self, principal: Principal | None, project: Project, role: Role) -> bool:
        """Say whether the caller may know of the project."""
        if role >= Role.GUEST or project.visibility is Visibility.PUBLIC:
            return True
        return principal is not None and project.visibility is Visibility.INTERNAL

    def group(self, principal: Principal, ref: str, needed: Role = Role.NONE) -> Namespace:
        """Return the group called `ref`, a number or a full path. Raises `NotFound("Group")`, `Forbidden`."""
        return self._reachable(principal, self._named_group(ref), needed, "Group")

    def namespace(self, principal: Principal, namespace_id: int, needed: Role) -> Namespace:
        """Return a group, or a user's own namespace. Raises `NotFound("Namespace")`, `Forbidden`."""
        return self._reachable(principal, self._projects.namespace(namespace_id), needed, "Namespace")

    def namespace_called(self, principal: Principal, ref: str, needed: Role) -> Namespace:
        """Return a group, or a user's own namespace, by number or full path. Raises as `namespace` does."""
        number = parse_id(ref)
        return self.namespace(principal, number or self._projects.namespace_at(ref).id, needed)

    def _reachable(self, principal: Principal, namespace: Namespace, needed: Role, what: str) -> Namespace:
        role = self.group_role(principal, namespace)
        if role < Role.GUEST and namespace.visibility is Visibility.PRIVATE:
            raise NotFound(what)
        if role < needed:
            raise Forbidden
        return namespace

    def _named(self, ref: str) -> tuple[Project, bool]:
        """Return the project, and whether the path is one where it lay once."""
        if ref.lstrip("-").isdecimal() and "/" not in ref:
            number = parse_id(ref)
            if number is None:
                raise NotFound("Project")
            return self._projects.get(number), False
        try:
            return self._projects.at(ref), False
        except NotFound:
            return self._projects.formerly_at(ref), True

    def _named_group(self, ref: str) -> Namespace:
        number = parse_id(ref)
        try:
            group = self._projects.namespace(number) if number else self._projects.namespace_at(ref)
        except NotFound:
            raise NotFound("Group") from None
        if group.kind != "group":
            raise NotFound("Group")
        return group

    def _refuse_hidden(self, principal: Principal | None, project: Project) -> None:
        """Say 404, or why a job's token does not reach where its user would."""
        if principal is not None and principal.job is not None:
            as_user = Principal(user=principal.user, scopes=principal.scopes)
            if self.visible(as_user, project, self.role(as_user, project)):
                source = self._projects.get(principal.job.project_id)
                raise Forbidden(
                    f"Authentication by CI/CD job token not allowed from {source.full_path} to {project.full_path}."
                )
        raise NotFound("Project")

    # Members

    def members(self, kind: str, source_id: int) -> list[Member]:
        """Return the direct members of a project or group (`kind`), by user id."""
        rows = self._db.query(sql.MEMBERS, kind=kind, source=source_id)
        return [
            Member(user_of(row), Role(row["access_level"]), row["member_expires_at"], row["member_created_at"])
            for row in rows
        ]

    def all_members(self, project: Project) -> list[Member]:
        """Return direct and inherited members, each once with the highest level, by user id."""
        found: dict[int, Member] = {}
        sources = [("project", project.id), *self._sources_above(self._projects.namespace(project.namespace_id))]
        for kind, source in sources:
            for member in self.members(kind, source):
                if member.user.id not in found or found[member.user.id].access_level < member.access_level:
                    found[member.user.id] = member
        return [found[key] for key in sorted(found)]

    def _sources_above(self, namespace: Namespace) -> list[tuple[str, int]]:
        above = [(namespace.kind, namespace.id)]
        if namespace.parent_id is not None:
            above += self._sources_above(self._projects.namespace(namespace.parent_id))
        return above

    def put_member(self, kind: str, source_id: int, user: User, level: Role, expires_at: str | None) -> None:
        """Give a user a level in a project or group, in place of the one he had."""

        def work(tx: Transaction) -> None:
            tx.query(
                sql.PUT_MEMBER,
                kind=kind,
                source=source_id,
                user=user.id,
                level=int(level),
                expires_at=expires_at,
                now=clock.now(),
            )

        self._db.write(work)

    def remove_member(self, kind: str, source_id: int, user_id: int) -> None:
        """Take a direct membership away. Raises `NotFound`."""
        if not self._db.write(lambda tx: tx.query(sql.DELETE_MEMBER, kind=kind, source=source_id, user=user_id)):
            raise NotFound("Member")
