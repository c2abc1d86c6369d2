"""What the catalog knows of the audit log: the head of each chain, and its lines as events that can be asked for.

Both go in together, at most once a second, so that a head says also which lines are in; the rest is added when the
chain is taken up again.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vault import clock
from vault.catalog import audit as sql
from vault.errors import NotFound
from vault.models import Listing, Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vault.audit.lines import Entry
    from vault.catalog.database import Database, Row, Scalar, Transaction

NAMED = re.compile(r"(?:/-)?/(project|group|user)s?/(\d{1,18})(?![^/.?])")
INSTANCE = ("Gitlab::Audit::InstanceScope", 1)
# Of lines within one turn that tell the same, so many become an event each; the rest is one event more.
ALIKE = 20
FORGOTTEN_AT_ONCE = 1000
FIRST_MOMENT, LAST_MOMENT = "", "9999"


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain was: its last line then, and the first that has to be there still."""

    chain: str
    host: str
    seq: int
    hash: str
    first_seq: int
    first_prev: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Event:
    """A line as the catalog has it. `times` counts those that told the same within the second, for all but a few."""

    id: int
    chain: str
    seq: int
    created_at: str
    actor: str | None
    author_id: int
    author_name: str | None
    author_email: str | None
    token_id: str | None
    ip: str | None
    action: str
    target: str
    entity_type: str
    entity_id: int
    status: int
    request_id: str
    times: int
    project_path: str | None


class Wanted(NamedTuple):
    """Which events are asked for; without `entity` all."""

    entity: tuple[str, int] | None = None
    author: int | None = None
    after: str | None = None
    before: str | None = None


def entity_of(target: str) -> tuple[str, int]:
    """Return the type and number of what a target lies in, in GitLab's words."""
    found = NAMED.match(target)
    return (found[1].capitalize(), int(found[2])) if found else INSTANCE


class AuditCatalog:
    """Heads and events of all chains of one vault."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Heads

    def heads(self) -> dict[str, Head]:
        """Return the head of each chain by name."""
        return {row["chain"]: Head(**row) for row in self._db.query(sql.HEADS)}

    def head(self, chain: str) -> Head | None:
        """Return the head of one chain."""
        rows = self._db.query(sql.HEAD, chain=chain)
        return Head(**rows[0]) if rows else None

    def begin(self, chain: str, host: str, genesis: str) -> None:
        """Note that there is a chain, before its first line."""
        self._db.write(lambda tx: tx.query(sql.ADD_HEAD, chain=chain, host=host, genesis=genesis, now=clock.now()))

    def advance(self, chain: str, seq: int, digest: str, lines: Sequence[tuple[int, Entry]]) -> None:
        """Move a chain's head, and add its lines since the last time as events."""
        rows = [{"chain": chain, **row} for row in _rows(lines)]

        def work(tx: Transaction) -> None:
            for row in rows:
                tx.query(sql.ADD_EVENT, **row)
            tx.query(sql.MOVE_HEAD, chain=chain, seq=seq, hash=digest, now=clock.now())

        self._db.write(work)

    def cut(self, chain: str, first: int, prev: str) -> None:
        """Note that the lines before `first` are being removed because of their age."""
        self._db.write(lambda tx: tx.query(sql.CUT_CHAIN, chain=chain, first=first, prev=prev))

    def forget(self, chain: str) -> None:
        """Note that a whole chain is being removed because of its age."""
        self._db.write(lambda tx: tx.query(sql.FORGET_CHAIN, chain=chain))

    def forget_events(self, before: str) -> int:
        """Remove the events before a moment, some at a time, and return how many."""
        count, removed = 0, FORGOTTEN_AT_ONCE
        while removed == FORGOTTEN_AT_ONCE:
            values: dict[str, Scalar] = {"before": before, "limit": FORGOTTEN_AT_ONCE}
            removed = len(self._db.write(lambda tx, values=values: tx.query(sql.FORGET_EVENTS, **values)))  # type: ignore[misc]
            count += removed
        return count

    # Events

    def page(self, wanted: Wanted, page: Page) -> Listing[Event]:
        """Return events, newest first."""
        where: dict[str, Scalar] = {
            "entity_type": wanted.entity[0] if wanted.entity else None,
            "entity_id": wanted.entity[1] if wanted.entity else 0,
            "author": wanted.author or 0,
            "after": wanted.after or FIRST_MOMENT,
            "before": wanted.before or LAST_MOMENT,
        }
        of_one = bool(where["entity_id"])
        count = sql.EVENTS_OF_ENTITY_COUNT if of_one else sql.EVENTS_COUNT
        total = self._db.query(count, **where)[0]["n"]
        listed = sql.EVENTS_OF_ENTITY if of_one else sql.EVENTS
        rows = self._db.query(listed, **where, size=page.size, offset=page.offset)
        return Listing([_event(row) for row in rows], total)

    def event(self, event_id: int) -> Event:
        """Return one event. Raises `NotFound`."""
        rows = self._db.query(sql.EVENT, id=event_id)
        if not rows:
            raise NotFound
        return _event(rows[0])


def _event(row: Row) -> Event:
    return Event(**row)


def _rows(lines: Iterable[tuple[int, Entry]]) -> list[dict[str, Scalar]]:
    """Return the events that lines become; many that tell the same become few."""
    alike: Counter[tuple[object, ...]] = Counter()
    merged: dict[tuple[object, ...], dict[str, Scalar]] = {}
    rows: list[dict[str, Scalar]] = []
    for seq, entry in lines:
        same = (entry.actor, entry.token_id, entry.ip, entry.action, entry.target, entry.status)
        alike[same] += 1
        if same in merged:
            merged[same]["times"] = alike[same] - ALIKE
            continue
        row = _row(seq, entry)
        rows.append(row)
        if alike[same] > ALIKE:
            merged[same] = row
    return rows


def _row(seq: int, entry: Entry) -> dict[str, Scalar]:
    entity_type, entity_id = entity_of(entry.target)
    return {
        "seq": seq,
        "time": entry.time,
        "actor": entry.actor,
        "actor_key": (entry.actor or "").lower(),
        "token_id": None if entry.token_id is None else str(entry.token_id),
        "ip": entry.ip,
        "action": entry.action,
        "target": entry.target,
        "entity_type": entity_type,
        "entity_id": entity_id,
        "status": entry.status,
        "request_id": entry.request_id,
        "times": 1,
    }
