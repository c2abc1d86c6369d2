"""What a client of Git LFS shows when it sends or fetches an object: no token, but a pass for one project and an hour.

It is signed and kept nowhere. Whose it is decides all the while: it ends with his token, or with his job.
"""

from __future__ import annotations

import hmac
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from vault.catalog import access as sql
from vault.catalog import jobs as jobs_sql
from vault.errors import Unauthenticated
from vault.tokens import LIVE_JOB_STATES, job_of

if TYPE_CHECKING:
    from vault.catalog.database import Database
    from vault.models import Principal
    from vault.tokens import Tokens

LASTS_SECONDS = 3600
FORM = re.compile(r"([0-9]{1,18})-([rw])-(token|job)-([0-9]{1,18})-([0-9]{1,12})-([0-9a-f]{64})")


class Pass(NamedTuple):
    """Whom a pass stands for, the project it is for, and whether it is good for writing too."""

    who: Principal
    project_id: int
    writes: bool


class LfsPasses:
    """Makes passes and reads them; signed under a key of the keyring, as the digests of tokens are."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._db = database
        self._tokens = tokens

    def make(self, who: Principal, project_id: int, *, writes: bool) -> str:
        """Return a new pass for somebody's requests to a project."""
        kind, number = ("job", who.job.id) if who.job is not None else ("token", who.token_id)
        until = int(time.time()) + LASTS_SECONDS
        told = f"{project_id}-{'w' if writes else 'r'}-{kind}-{number}-{until}"
        return f"{told}-{self._signature(told)}"

    def read(self, text: str) -> Pass:
        """Return what a pass says. Raises `Unauthenticated` for one that is not good, or not any more."""
        found = FORM.fullmatch(text)
        if found is None or not hmac.compare_digest(self._signature(text.rpartition("-")[0]), found[6]):
            raise Unauthenticated
        if int(found[5]) <= time.time():
            raise Unauthenticated
        who = self._of_job(int(found[4])) if found[3] == "job" else self._of_token(int(found[4]))
        return Pass(who, int(found[1]), found[2] == "w")

    def _of_token(self, token_id: int) -> Principal:
        rows = self._db.query(sql.TOKEN_BY_ID, id=token_id)
        if not rows:
            raise Unauthenticated
        return self._tokens.principal_of(rows[0])

    def _of_job(self, job_id: int) -> Principal:
        rows = self._db.query(jobs_sql.JOB_BY_ID, id=job_id)
        if not rows or rows[0]["status"] not in LIVE_JOB_STATES:
            raise Unauthenticated
        return self._tokens.of_job(job_of(rows[0]))

    def _signature(self, told: str) -> str:
        return self._tokens.digest(f"lfs-pass:{told}")
