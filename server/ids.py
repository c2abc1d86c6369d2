"""Request ids: what a client, the log and an answer call one request by."""

from __future__ import annotations

import re
import secrets

PLAIN = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


def request_id_of(offered: str) -> str:
    """Return the client's id when it is a plain word, else a new random one."""
    return offered if PLAIN.fullmatch(offered) else secrets.token_hex(13)
