"""Request ids: what a client, the log and an answer call one request by."""

from __future__ import annotations

import re
from random import getrandbits

PLAIN = re.compile(r"[A-Za-z0-9_.\-]{1,64}")


def request_id_of(offered: str) -> str:
    """Return the client's id when it is a plain word, else a new random one."""
    if offered and PLAIN.fullmatch(offered):
        return offered
    # Nothing is kept safe by it, and asking the system for secret bytes is 20 times the work.
    return f"{getrandbits(104):026x}"
