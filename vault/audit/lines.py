"""One line of the audit log: JSON whose last field is an HMAC over all that stands before it."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# In C; what the module offers without it is as good.
quoted: Callable[[str], str] = encode_basestring_ascii
HASH_FIELD = b',"hash":"'
HASH_TAIL = len(HASH_FIELD) + 64 + len(b'"}')
FIELDS = ("seq", "time", "actor", "token_id", "ip", "action", "target", "status", "request_id", "prev", "hash")


class Entry(NamedTuple):
    """What a line tells. `actor` and `token_id` are None for nobody; a job's token is `job:` and the job's number."""

    time: str
    actor: str | None
    token_id: int | str | None
    ip: str | None
    action: str
    target: str
    status: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it stands in a file, its hash verified."""

    seq: int
    entry: Entry
    prev: str
    hash: str


class Sealer:
    """Writes lines and knows its own again. `key` is derived from the keyring."""

    def __init__(self, key: bytes) -> None:
        self._mac = hmac.new(key, digestmod=hashlib.sha256)

    def _hash(self, data: bytes) -> str:
        mac = self._mac.copy()
        mac.update(data)
        return mac.hexdigest()

    def genesis(self, chain: str) -> str:
        """Return what the first line of a chain names as the one before: a line belongs to one chain alone."""
        return self._hash(b"chain:" + chain.encode())

    def line(self, seq: int, entry: Entry, prev: str) -> tuple[bytes, str]:
        """Return the line's bytes, with its end of line, and its hash."""
        token = entry.token_id
        data = (
            f'{{"seq":{seq},"time":"{entry.time}","actor":{_text(entry.actor)},'
            f'"token_id":{_text(token) if token is None or isinstance(token, str) else token},"ip":{_text(entry.ip)},'
            f'"action":{quoted(entry.action)},"target":{quoted(entry.target)},"status":{entry.status},'
            f'"request_id":{quoted(entry.request_id)},"prev":"{prev}"'
        ).encode("ascii")
        digest = self._hash(data + b"}")
        return data + HASH_FIELD + digest.encode() + b'"}\n', digest

    def read(self, raw: bytes) -> Line | None:
        """Return the line in `raw`, which may lack its end of line; None when it is none of ours, or not any more."""
        raw = raw.removesuffix(b"\n")
        data, tail = raw[:-HASH_TAIL], raw[-HASH_TAIL:]
        digest = tail[len(HASH_FIELD) : -2]
        if not tail.startswith(HASH_FIELD) or not tail.endswith(b'"}'):
            return None
        if not hmac.compare_digest(self._hash(data + b"}").encode(), digest):
            return None
        fields = json.loads(raw)
        seq, prev, own = fields.pop("seq"), fields.pop("prev"), fields.pop("hash")
        return Line(seq, Entry(**fields), prev, own)


def _text(value: str | None) -> str:
    return "null" if value is None else quoted(value)
