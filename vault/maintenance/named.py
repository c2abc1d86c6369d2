"""What a copy of the catalog names, gathered while it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vault import keys
from vault.crypto.layout import sealed_size

if TYPE_CHECKING:
    from vault.catalog.database import Row


class Stored(NamedTuple):
    """An object that the catalog's copy names, and how many bytes it has to have; -1: the row does not say."""

    id: str
    size: int


class Named:
    """What the catalog's copy names: objects in the store, repositories, and the keys that it needs."""

    def __init__(self) -> None:
        self.objects: list[Stored] = []
        self.repositories: list[tuple[int, str]] = []
        self._instance: dict[str, str] = {}
        self.keys: dict[str, str] = {}

    def see(self, table: str, row: Row) -> None:
        """Take from a row what is of interest."""
        match table:
            case "blobs" if row["sealed"] is None:
                size = row["size"]
                self.objects.append(Stored(row["id"], sealed_size(size) if isinstance(size, int) else -1))
            case "repositories":
                self.repositories.append((row["project_id"], row["folder"]))
            case "instance":
                self._instance[row["name"]] = row["value"]
            case "master_keys":
                self.keys[row["id"]] = row["check"]

    @property
    def instance(self) -> str:
        """The id of the vault."""
        return self._instance.get(keys.INSTANCE, "")
