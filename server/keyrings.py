"""Where the master keys come from: a file, a setting, a systemd credential, an outside service, or several of them."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from vault import keys
from vault.crypto.envelope import pepper_aad
from vault.crypto.keyring import Keyring
from vault.crypto.kms import open_kms
from vault.crypto.masterkeys import KEY_SIZE
from vault.crypto.outside import OutsideKeyring
from vault.errors import BadKeyring, UnknownKey

if TYPE_CHECKING:
    from server.settings import Settings
    from vault.catalog.database import Database
    from vault.crypto.keysource import KeySource, MasterKeyring

CREDENTIAL_KEYRING, CREDENTIAL_MASTER_KEY, CREDENTIAL_TOKEN = (
    "secure-files.keyring",
    "secure-files.master-key",
    "secure-files.kms-token",
)
"""Names of `LoadCredential=` in a unit."""

ENVIRONMENT = "the key of the environment"


def open_keyring(settings: Settings, database: Database, *, create: bool) -> MasterKeyring:
    """Return the keys of the vault with this catalog; with `create`, a new vault is given new ones.

    Raises `BadKeyring`, `UnknownKey` when there are none, and `Unavailable` when a service does not answer.
    """
    instance = keys.instance_of(database)
    keyring = _given(settings, instance)
    sources = _services(settings)
    if sources:
        return _outside(settings, database, keyring, sources, create=create)
    if keyring is not None:
        return keyring
    if instance is None and create:
        return Keyring.create(settings.keyring_path())
    raise _lost(settings, database)


def _lost(settings: Settings, database: Database) -> UnknownKey:
    return UnknownKey(
        f"the data in {settings.data} needs {keys.needs(database)}, and there is no keyring at "
        f"{settings.keyring_path()}; restore the keyring from your backup: no new key is made, as it could not open "
        "the data"
    )


def _given(settings: Settings, instance: str | None) -> Keyring | None:
    """Return the keyring of the first source that is given; None when it would be a file that is not there."""
    if settings.keyring:
        return _in_file(settings)
    if settings.keyring_json:
        return Keyring.from_json(settings.keyring_json, ENVIRONMENT)
    if found := _master_key(settings):
        return Keyring.from_master_key(found[0], instance or token_hex(16), found[1])
    if credential := _credential(settings, CREDENTIAL_KEYRING):
        # The service manager guards these files; their modes are its own affair.
        return Keyring.from_json(_secret(credential), str(credential))
    return _in_file(settings)


def _in_file(settings: Settings) -> Keyring | None:
    path = settings.keyring_path()
    return Keyring.load(path) if os.path.lexists(path) else None


def _master_key(settings: Settings) -> tuple[str, str] | None:
    """Return one bare key, when there is one, and where it is from."""
    if settings.master_key_file:
        return _secret(Path(settings.master_key_file)), settings.master_key_file
    if settings.master_key:
        return settings.master_key, ENVIRONMENT
    if credential := _credential(settings, CREDENTIAL_MASTER_KEY):
        return _secret(credential), str(credential)
    return None


def _credential(settings: Settings, name: str) -> Path | None:
    path = Path(settings.credentials, name)
    return path if settings.credentials and path.exists() else None


def _secret(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeyring(f"the key cannot be read from {path}: {type(error).__name__}") from error


def _services(settings: Settings) -> list[KeySource]:
    def token() -> str:
        path = settings.kms_token_file or _credential(settings, CREDENTIAL_TOKEN)
        return _secret(Path(path)) if path else settings.kms_token

    return [open_kms(url, token) for url in (*settings.kms.split(), *settings.kms_also.split())]


def _outside(
    settings: Settings, database: Database, keyring: Keyring | None, sources: list[KeySource], *, create: bool
) -> MasterKeyring:
    """Put keys of services and a keyring together: the service of `kms` wraps, else the keyring."""
    instance = keys.instance_of(database)
    pepper = keyring.pepper if keyring else _pepper(settings, database, instance, sources, create=create)
    if not settings.kms and keyring is None and create:
        raise UnknownKey("no key wraps: name one with --kms, or run `secure-files keys rotate` to make a keyring")
    instance = instance or (keyring.instance if keyring else token_hex(16))
    return OutsideKeyring(
        instance,
        pepper,
        sources,
        keyring=keyring,
        keyring_first=not settings.kms,
        file=settings.keyring_path(),
    )


def _pepper(
    settings: Settings, database: Database, instance: str | None, sources: list[KeySource], *, create: bool
) -> bytes:
    """Return the pepper that the catalog has, unwrapped by its service; a new vault's is new."""
    if instance is None and create:
        return os.urandom(KEY_SIZE)
    stored = keys.stored_pepper(database)
    if stored is not None and instance is not None:
        for source in sources:
            if source.has(stored.kek_id):
                return source.unwrap(stored, pepper_aad(instance))
    raise _lost(settings, database)
