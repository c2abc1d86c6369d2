"""Users: who can hold tokens and roles. There are no passwords; people and programs sign in with tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import access as sql
from vault.errors import Conflict, Invalid, NotFound
from vault.models import Listing, Page, User, Visibility
from vault.tokens import user_of

if TYPE_CHECKING:
    from vault.catalog.database import Database, Transaction

# https://docs.gitlab.com/user/reserved_names/: letters, digits, `_ - .`, no edge or doubled punctuation, no .git end.
USERNAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_\-])?")
LIKE_SPECIAL = re.compile(r"([!%_])")


def key_of(path: str) -> str:
    """Return the form in which names and paths are compared: GitLab's do not tell cases apart."""
    return path.lower()


def like(term: str | None) -> str | None:
    """Return a LIKE pattern (escape `!`) for keys that contain `term`."""
    return "%" + LIKE_SPECIAL.sub(r"!\1", key_of(term)) + "%" if term else None


def begin_anew(tx: Transaction, full_path: str) -> None:
    """Have a path that becomes a namespace's, and all below it, lead no longer to projects that lay there once."""
    tx.query(sql.DELETE_REDIRECT, key=key_of(full_path))
    tx.query(sql.DELETE_REDIRECTS_BELOW, below=LIKE_SPECIAL.sub(r"!\1", key_of(full_path)) + "/%")


class People:
    """The users of one vault."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, username: str, name: str, email: str, *, is_admin: bool = False) -> User:
        """Make a user and the namespace of the same name. Raises `Invalid`, `Conflict` when the name is taken."""
        if not USERNAME.fullmatch(username) or len(username) > 255 or username.endswith((".git", ".atom")):
            raise Invalid("username", "can contain only letters, digits, '_', '-' and '.'")
        if not name.strip():
            raise Invalid("name", "can't be blank")

        def work(tx: Transaction) -> User:
            if tx.query(sql.NAMESPACE_BY_PATH, key=key_of(username)):
                raise Conflict("Username has already been taken")
            values = {"username": username, "key": key_of(username), "name": name, "email": email}
            user = user_of(tx.query(sql.ADD_USER, **values, is_admin=int(is_admin), now=clock.now())[0])
            _add_namespace(tx, user)
            return user

        return self._db.write(work)

    def get(self, user_id: int) -> User:
        """Return a user by id. Raises `NotFound`."""
        rows = self._db.query(sql.USER, id=user_id)
        if not rows:
            raise NotFound("User")
        return user_of(rows[0])

    def administrator(self) -> User | None:
        """Return the oldest administrator, if there is one."""
        rows = self._db.query(sql.ANY_ADMIN)
        return user_of(rows[0]) if rows else None

    def find(self, page: Page, username: str | None = None, search: str | None = None) -> Listing[User]:
        """Return users, newest first, by exact username or by a part of it."""
        where = {"key": key_of(username) if username else None, "term": like(search)}
        total = self._db.query(sql.USERS_COUNT, **where, most=page.most)[0]["n"]
        rows = self._db.query(sql.USERS, **where, size=page.size, offset=page.offset)
        return Listing([user_of(row) for row in rows], total)


def _add_namespace(tx: Transaction, user: User) -> None:
    begin_anew(tx, user.username)
    tx.query(
        sql.ADD_NAMESPACE,
        kind="user",
        name=user.name,
        path=user.username,
        full_path=user.username,
        key=key_of(user.username),
        parent=None,
        owner=user.id,
        visibility=Visibility.PUBLIC,
        description="",
        now=clock.now(),
    )
