"""Git LFS pointers in a push: whether the project has the objects that they stand for.

The hook hands on what may be a pointer, and waits for one line: what lies in the catalog only the server can see.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from vault.errors import VaultError
from vault.repositories.pointers import pointer_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger("secure_files.repositories")

GOOD = "ok"
MISSING = 'LFS objects are missing. Ensure LFS is properly set up or try a manual "git lfs push --all".'
UNKNOWN = "It cannot be told now whether all LFS objects are here. Try again."
END = b"end\n"


@contextmanager
def answering(has: Callable[[str], bool]) -> Iterator[tuple[tuple[int, int], dict[str, str]]]:
    """Answer the hook of one push; yield the descriptors that it inherits, and the variables that name them.

    `has` says of an object's SHA-256 whether the project has it. What listens ends with the last program that has the
    descriptors.
    """
    asked, asking = os.pipe()
    answered, answer = os.pipe()
    threading.Thread(target=_listen, args=(asked, answer, has), name="pointers", daemon=True).start()
    try:
        yield (asking, answered), {"VAULT_ASKS": str(asking), "VAULT_ANSWERS": str(answered)}
    finally:
        os.close(asking)
        os.close(answered)


def _listen(asked: int, answer: int, has: Callable[[str], bool]) -> None:
    with open(asked, "rb") as stream, open(answer, "wb") as reply:
        oids = objects_in(stream)
        if oids is not None:
            reply.write(f"{_verdict(oids, has)}\n".encode())


def _verdict(oids: set[str], has: Callable[[str], bool]) -> str:
    try:
        return GOOD if all(map(has, oids)) else MISSING
    except VaultError as error:
        log.error("a push is refused: %s", error)
        return UNKNOWN


def objects_in(stream: BinaryIO) -> set[str] | None:
    """Return the SHA-256 of each object that a blob points to, of what `git cat-file --batch` says up to a last `end`.

    None where that is missing: whoever asked is gone.
    """
    found = set()
    while (head := stream.readline()) != END:
        words = head.split()
        if not words:
            return None
        if len(words) != 3:  # an object that is missing
            continue
        pointer = pointer_in(stream.read(int(words[2]) + 1)[:-1])
        if pointer is not None:
            found.add(pointer.oid)
    return found
