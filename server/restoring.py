"""From a backup to a vault that the settings describe: what is missing is named before anything is written."""

from __future__ import annotations

import tempfile
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from server.keyrings import open_keyring
from server.wiring import close_folder, open_engines, open_services
from vault import keys
from vault.catalog import open_catalog
from vault.crypto.keyring import Keyring
from vault.errors import UnknownKey
from vault.lock import FolderLock
from vault.maintenance import restoring
from vault.maintenance.place import Snapshot, find, write_durably
from vault.repositories.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from server.settings import Settings
    from vault.crypto.keysource import MasterKeyring
    from vault.maintenance.findings import Report
    from vault.maintenance.verifying import Observer


class Restored(NamedTuple):
    """What was restored, what of it was damaged in the backup, and what a verification says of the vault."""

    snapshot: Snapshot
    problems: list[str]
    report: Report


def restore(settings: Settings, source: Path, observer: Observer, actor: str = "") -> Restored:
    """Restore the backup that `source` names, and verify what came of it; `actor` is who does, for the audit log.

    Nothing is written when a key, room or a newer program is missing: raises `UnknownKey`, `BadKeyring`, `Conflict`,
    `Unavailable`.
    """
    snapshot = find(source)
    restoring.require_schema(snapshot)
    restoring.require_room(settings.data)
    held = _require_keys(settings, snapshot)
    close_folder(settings.data)
    with FolderLock(settings.data), restoring.unfinished(settings.data):
        database, blobs = open_engines(settings)
        with closing(database):
            store = Store(database, settings.repositories_path())
            into = restoring.Into(database, blobs, store, settings.audit_path())
            problems = restoring.restore(snapshot, into, observer)
        if held is not None:
            close_folder(settings.keyring_path().parent)
            write_durably(settings.keyring_path(), held)
    with closing(open_services(settings)) as services:
        services.audit.note("backup.restore", snapshot.name, actor=actor)
        return Restored(snapshot, problems, services.verification.run(observer=observer))


def _require_keys(settings: Settings, snapshot: Snapshot) -> bytes | None:
    """Look whether the keys that the settings name are the right ones, or else those in the backup.

    Returns the keyring of the backup when it is to be put in its place. What of the catalog says which keys it needs is
    put into a catalog that is thrown away, and that is asked as at the start of a server.
    """
    with tempfile.TemporaryDirectory(prefix="secure-files-") as folder:
        needy = open_catalog(f"sqlite:{folder}/catalog.sqlite")
        with closing(needy):
            restoring.put_needs(snapshot, needy)
            held: bytes | None = None
            keyring: MasterKeyring
            try:
                keyring = open_keyring(settings, needy, create=False)
            except UnknownKey as error:
                held = restoring.keyring_of(snapshot)
                if held is None:
                    raise UnknownKey(
                        f"the backup {snapshot.folder} needs {keys.needs(needy)}, and there is no keyring at "
                        f"{settings.keyring_path()}: put it there, or name it with --keyring; nothing was written"
                    ) from error
                keyring = Keyring.from_json(held.decode(), "the keyring in the backup")
            keys.claim(needy, keyring, f"the backup {snapshot.folder}", keyring.place)
            return held
