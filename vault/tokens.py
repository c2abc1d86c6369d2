"""Tokens: how they are made, how they are kept (never in clear), and whom they stand for."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import zlib
from typing import TYPE_CHECKING, Any

from vault import clock
from vault.catalog import access as sql
from vault.catalog import jobs as jobs_sql
from vault.errors import Invalid, NotFound, TokenExpired, TokenRevoked, Unauthenticated
from vault.models import SCOPES, Job, Principal, Token, User

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from vault.catalog.database import Database, Row, Transaction

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PERSONAL, JOB = "glpat-", "glcbt-"
# What this vault makes. Whatever has this form and another checksum is a typing error or a guess.
OWN_FORM = re.compile(r"gl(?:pat|cbt)-([0-9A-Za-z]{32})([0-9A-Za-z]{6})")
# The catalog's note that a token of this form was taken from outside, where others make their checksums otherwise.
FOREIGN = "token_without_checksum"
LAST_USED_PRECISION = len("2026-02-22T22:22")
LIVE_JOB_STATES = ("running",)


def new_secret(prefix: str) -> str:
    """Return `prefix`, 32 random base62 characters (190 bits) and a checksum that secret scanners can test offline."""
    body = "".join(secrets.choice(BASE62) for _ in range(32))
    return prefix + body + _checksum(body)


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits


def is_mistyped(secret: str) -> bool:
    """Say whether a token has the form of those made here, and a checksum that does not fit."""
    found = OWN_FORM.fullmatch(secret)
    return found is not None and _checksum(found[1]) != found[2]


class Tokens:
    """Personal access tokens and job tokens of one vault.

    Only an HMAC-SHA256 of a token, under a key of the keyring, is stored: a stolen catalog cannot even test guesses.
    """

    def __init__(self, database: Database, pepper: bytes) -> None:
        self._db = database
        self._pepper = pepper
        self._salt = os.urandom(16)
        self._used: set[int] = set()
        self._foreign: bool | None = None

    def digest(self, secret: str) -> str:
        """Return what the catalog knows a token by."""
        return hmac.digest(self._pepper, secret.encode("utf-8", "replace"), "sha256").hex()

    def create(
        self, user: User, name: str, scopes: Sequence[str], expires_at: date | None, secret: str | None = None
    ) -> tuple[Token, str]:
        """Make a token and return it with its secret, which is not shown again.

        A date in the past is taken: the token is expired from the start. Raises `Invalid` for a blank name, no scope
        or an unknown one.
        """
        _check_new(name, scopes)
        secret = secret or new_secret(PERSONAL)
        values: dict[str, Any] = {
            "user": user.id,
            "name": name,
            "digest": self.digest(secret),
            "hint": secret[:8],
            "scopes": " ".join(scopes),
            "now": clock.now(),
            "expires_at": expires_at.isoformat() if expires_at else None,
        }
        foreign = is_mistyped(secret)

        def work(tx: Transaction) -> Row:
            if foreign and not tx.query(sql.INSTANCE_VALUE, name=FOREIGN):
                tx.query(sql.SET_INSTANCE_VALUE, name=FOREIGN, value="1")
            return tx.query(sql.ADD_TOKEN, **values)[0]

        row = self._db.write(work)
        if foreign:
            self._foreign = True
        return _token(row), secret

    def _refuse_mistyped(self, secret: str) -> None:
        """Raise `Unauthenticated` for a token that cannot be one, without looking for it in the catalog.

        Only where every token that looks like one of ours was made here: the administrator may have brought his own.
        """
        if is_mistyped(secret):
            if self._foreign is None:
                self._foreign = bool(self._db.query(sql.INSTANCE_VALUE, name=FOREIGN))
            if not self._foreign:
                raise Unauthenticated

    def personal(self, secret: str) -> Principal:
        """Return whom a personal access token stands for.

        Raises `TokenRevoked`, `TokenExpired`, or `Unauthenticated` for one that does not exist. Nothing is remembered
        beyond the next commit, so what is revoked is refused by every process at once.
        """
        self._refuse_mistyped(secret)
        recent, key = self._db.known(), ("token", self._mark(secret))
        known: tuple[Principal, str | None] | None = recent.get(key)
        if known is None:
            row = self._row(self.digest(secret))
            known = self.principal_of(row), row["expires_at"]
            recent.keep(key, known)
        principal, expires_at = known
        if principal.token_id is not None:
            _refuse_expired(expires_at, principal.token_id, principal.user.username)
            self._used.add(principal.token_id)
        return principal

    def _mark(self, secret: str) -> bytes:
        """Return what a token is known by in memory: no secret stays there, and it is less work than the digest."""
        return hashlib.blake2b(secret.encode("utf-8", "replace"), key=self._salt, digest_size=16).digest()

    def _row(self, digest: str) -> Row:
        rows = self._db.query(sql.TOKEN_BY_DIGEST, digest=digest)
        if not rows or not hmac.compare_digest(rows[0]["digest"], digest):
            raise Unauthenticated
        return rows[0]

    def principal_of(self, row: Row) -> Principal:
        """Return whom the token in a row (`TOKEN_BY_DIGEST`) stands for, as `personal` does."""
        if row["revoked"]:
            raise TokenRevoked(token_id=row["token_id"], username=row["username"])
        _refuse_expired(row["expires_at"], row["token_id"], row["username"])
        user = user_of(row)
        if user.state != "active":
            raise Unauthenticated
        self._used.add(row["token_id"])
        return Principal(user=user, scopes=frozenset(row["scopes"].split()), token_id=row["token_id"])

    def job(self, secret: str) -> Principal:
        """Return whom the token of a running job stands for; `Unauthenticated` once the job has ended."""
        self._refuse_mistyped(secret)
        recent, key = self._db.known(), ("job token", self._mark(secret))
        principal: Principal | None = recent.get(key)
        if principal is None:
            rows = self._db.query(jobs_sql.JOB_BY_TOKEN, digest=self.digest(secret))
            if not rows or rows[0]["status"] not in LIVE_JOB_STATES:
                raise Unauthenticated
            principal = self.of_job(job_of(rows[0]))
            recent.keep(key, principal)
        return principal

    def of_job(self, job: Job) -> Principal:
        """Return whom a job acts as. Raises `Unauthenticated` when that user is blocked or gone."""
        users = self._db.query(sql.USER, id=job.user_id)
        if not users or users[0]["state"] != "active":
            raise Unauthenticated
        return Principal(user=user_of(users[0]), scopes=frozenset(("api",)), job=job)

    def get(self, token_id: int) -> Token:
        """Return a token by id. Raises `NotFound`."""
        rows = self._db.query(sql.TOKEN, id=token_id)
        if not rows:
            raise NotFound
        return _token(rows[0])

    def of_user(self, user_id: int) -> list[Token]:
        """Return the user's tokens, newest first."""
        return [_token(row) for row in self._db.query(sql.TOKENS_OF_USER, user=user_id)]

    def revoke(self, token_id: int) -> None:
        """Make the token useless from now on; silent when it is already."""
        self._db.write(lambda tx: tx.query(sql.REVOKE_TOKEN, id=token_id))

    def remember_use(self) -> None:
        """Write down which tokens were used since the last time, to the minute; authentication itself never writes."""
        used, self._used = self._used, set()
        now = clock.now()
        minute = now[:LAST_USED_PRECISION]

        def work(tx: Transaction) -> None:
            for token_id in sorted(used):
                tx.query(sql.TOUCH_TOKEN, id=token_id, now=now, minute=minute)

        if used:
            self._db.write(work)


def _refuse_expired(expires_at: str | None, token_id: int, username: str) -> None:
    if expires_at is not None and expires_at <= clock.today():
        raise TokenExpired(token_id=token_id, username=username)


def _check_new(name: str, scopes: Sequence[str]) -> None:
    if not name.strip():
        raise Invalid("name", "can't be blank")
    if not scopes:
        raise Invalid("scopes", "can't be blank")
    if any(scope not in SCOPES for scope in scopes):
        raise Invalid("scopes", "can only contain available scopes")


def user_of(row: Row) -> User:
    """Return the user in a row that holds the columns of `users`."""
    return User(
        id=row["id"],
        username=row["username"],
        name=row["name"],
        email=row["email"],
        state=row["state"],
        is_admin=bool(row["is_admin"]),
        created_at=row["created_at"],
    )


def job_of(row: Row) -> Job:
    """Return the job in a row of `jobs`; its token's digest is left behind."""
    return Job(**{key: value for key, value in row.items() if key != "token_digest"})


def _token(row: Row) -> Token:
    return Token(
        id=row["id"],
        user_id=row["user_id"],
        name=row["name"],
        scopes=tuple(row["scopes"].split()),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked=bool(row["revoked"]),
        last_used_at=row["last_used_at"],
    )
