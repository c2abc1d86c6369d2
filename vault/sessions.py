"""Sessions of browsers: who signed in with a token stays signed in for half a day, unless the token ends before."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import sessions as sql
from vault.errors import Unauthenticated

if TYPE_CHECKING:
    from vault.catalog.database import Database, Transaction
    from vault.models import Principal
    from vault.tokens import Tokens

LASTS = timedelta(hours=12)


class Sessions:
    """Of a session the catalog holds a keyed digest alone, as of a token: whoever reads it cannot use one."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._db = database
        self._tokens = tokens

    def begin(self, token: str) -> tuple[str, Principal]:
        """Return the secret of a new session and whom it stands for. Raises `Unauthenticated` for a token not good."""
        principal = self._tokens.personal(token)
        secret = secrets.token_urlsafe(32)
        moment = datetime.now(UTC)
        values = {
            "digest": self._digest(secret),
            "token": principal.token_id,
            "now": clock.stamp(moment),
            "expires_at": clock.stamp(moment + LASTS),
        }

        def work(tx: Transaction) -> None:
            tx.query(sql.SWEEP, now=values["now"])
            tx.query(sql.ADD, **values)

        self._db.write(work)
        return secret, principal

    def principal(self, secret: str) -> Principal:
        """Return whom a session stands for.

        Raises `Unauthenticated` once it has ended, as by signing out; and what its token raises when that is not good
        any more.
        """
        rows = self._db.query(sql.TOKEN_OF, digest=self._digest(secret), now=clock.now())
        if not rows:
            raise Unauthenticated
        return self._tokens.principal_of(rows[0])

    def end(self, secret: str) -> None:
        """End a session: nobody who has its secret can use it from now on."""
        digest = self._digest(secret)
        self._db.write(lambda tx: tx.query(sql.END, digest=digest))

    def _digest(self, secret: str) -> str:
        return self._tokens.digest(f"session:{secret}")
