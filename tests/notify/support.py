"""A vault with files that expire, and a file of recipients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from server.notify.notifier import Notifier, Told
from server.notify.recipients import Recipient, read
from tests.vault.core import Core, Found
from vault import clock
from vault.notices import Notices

if TYPE_CHECKING:
    from pathlib import Path


def put(core: Core, name: str, days: float, project_id: int = 1) -> int:
    """Store a file that expires in so many days, and return its id."""
    moment = clock.stamp(datetime.now(UTC) + timedelta(days=days))
    core.reader.answer = Found("certificate", expires_at=moment)
    return core.secure_files.add(project_id, name, b"").id


def notifier(core: Core, *recipients: Recipient) -> Notifier:
    return Notifier(recipients, core.secure_files, Notices(core.database))


def tell(core: Core, *recipients: Recipient) -> list[Told]:
    return notifier(core, *recipients).run()


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file of recipients."""
    path = folder / "recipients.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def recipients(folder: Path, text: str) -> list[Recipient]:
    return read(written(folder, text))


def pass_pauses(core: Core) -> None:
    """Let the pause before another try be over."""
    core.sql("UPDATE notices SET try_at = '2000-01-01T00:00:00.000Z' WHERE state <> 'told'")
