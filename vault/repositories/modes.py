"""What an entry of a tree is: git's modes, as they stand in its objects; pygit2's own are not loaded for them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pygit2.enums import FileMode as FileMode  # noqa: PLC0414 - handed on
else:

    class FileMode(IntEnum):
        """The five that https://git-scm.com/docs/git-fast-import names."""

        TREE = 0o040000
        BLOB = 0o100644
        BLOB_EXECUTABLE = 0o100755
        LINK = 0o120000
        COMMIT = 0o160000
