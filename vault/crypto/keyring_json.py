"""The JSON text of a keyring. Errors say what to do about it and never repeat a value: it may be a key."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from vault.crypto.masterkeys import ACTIVE, DECRYPT_ONLY, KEY_SIZE, MasterKey, MasterKeys
from vault.errors import BadKeyring

VERSION = 1
ALGORITHM = "A256GCM"

_KEYRING_FIELDS = {"version", "instance", "primary", "keys"}
_OPTIONAL_FIELDS = {"pepper"}
_KEY_FIELDS = {"id", "alg", "key", "check", "created_at", "state"}
_RESTORE = "restore the keyring from your backup"


def dump(keys: MasterKeys) -> str:
    """Return the text of a keyring. It holds the keys."""
    document: dict[str, Any] = {"version": VERSION, "instance": keys.instance, "primary": keys.primary}
    if keys.pepper is not None:
        document["pepper"] = _encoded(keys.pepper)
    document["keys"] = [_entry(key) for key in keys.keys.values()]
    return json.dumps(document, indent=2) + "\n"


def parse(text: str) -> MasterKeys:
    """Read the text of a keyring. Raises `BadKeyring`."""
    document = _document(text)
    keys: dict[str, MasterKey] = {}
    for entry in document["keys"]:
        key = _master_key(entry)
        if key.id in keys:
            raise BadKeyring(f'the keyring has two keys called "{key.id}"; remove the one that is not yours')
        keys[key.id] = key
    primary, pepper = document["primary"], document.get("pepper")
    if not isinstance(primary, str) or primary not in keys:
        raise BadKeyring(f'"primary" in the keyring is not the id of one of its keys; correct it, or {_RESTORE}')
    if [key.id for key in keys.values() if key.state == ACTIVE] != [primary]:
        raise BadKeyring(f'the primary key, and no other, has the state "{ACTIVE}"; correct the states in the keyring')
    if pepper is None and len(keys) > 1:
        raise BadKeyring(f'a keyring of several keys needs its "pepper"; {_RESTORE}')
    return MasterKeys(document["instance"], primary, keys, None if pepper is None else decoded(pepper, '"pepper"'))


def decoded(value: object, what: str) -> bytes:
    """Return the 32 bytes that `value` is the base64 of. Raises `BadKeyring`, calling the value `what`."""
    try:
        secret = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_SIZE:
        raise BadKeyring(f"{what} is not the base64 of {KEY_SIZE} bytes; {_RESTORE}")
    return secret


def _encoded(secret: bytes) -> str:
    return base64.b64encode(secret).decode("ascii")


def _entry(key: MasterKey) -> dict[str, str]:
    return {
        "id": key.id,
        "alg": ALGORITHM,
        "key": _encoded(key.secret),
        "check": key.check,
        "created_at": key.created_at,
        "state": key.state,
    }


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        # Not chained: the parser's error carries the whole text.
        raise BadKeyring(f"the keyring is not JSON; {_RESTORE}") from None
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise BadKeyring(f'the keyring is not a JSON object with a list of "keys"; {_RESTORE}')
    if document.get("version") != VERSION:
        raise BadKeyring(f"the keyring is not of version {VERSION}: use the release that wrote it, or a newer one")
    _require_fields(document, _KEYRING_FIELDS, _OPTIONAL_FIELDS, "the keyring")
    if not isinstance(document["instance"], str):
        raise BadKeyring(f'"instance" in the keyring is not a text; {_RESTORE}')
    return document


def _master_key(entry: object) -> MasterKey:
    if not isinstance(entry, dict):
        raise BadKeyring(f'an entry of "keys" in the keyring is not an object; {_RESTORE}')
    _require_fields(entry, _KEY_FIELDS, set(), "a key of the keyring")
    key_id, created_at, state = entry["id"], entry["created_at"], entry["state"]
    if not isinstance(key_id, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", key_id):
        raise BadKeyring(f"a key of the keyring has an id that is not 1 to 32 of A-Z a-z 0-9 . _ -; {_RESTORE}")
    if entry["alg"] != ALGORITHM or state not in (ACTIVE, DECRYPT_ONLY) or not isinstance(created_at, str):
        raise BadKeyring(f'the key "{key_id}" has an "alg", a "state" or a "created_at" unknown here; {_RESTORE}')
    key = MasterKey(key_id, decoded(entry["key"], f'the key "{key_id}"'), created_at, state)
    if key.check != entry["check"]:
        raise BadKeyring(f'the key "{key_id}" does not fit its "check": mistyped or damaged; {_RESTORE}')
    return key


def _require_fields(entry: dict[str, Any], needed: set[str], optional: set[str], what: str) -> None:
    missing = needed - entry.keys()
    if missing:
        raise BadKeyring(f"{what} has no {_names(missing)}; {_RESTORE}")
    if entry.keys() - needed - optional:
        raise BadKeyring(f"{what} has fields besides {_names(needed | optional)}; remove them")


def _names(fields: set[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(fields))
