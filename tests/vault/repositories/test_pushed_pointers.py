"""What is read of the blobs that a push brings."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pytest

from vault.repositories.pointers import Pointer, pointer_in, pointer_to
from vault.repositories.pushed_pointers import objects_in

ONE, TWO = pointer_to(b"one"), pointer_to(b"two")
OIDS = {hashlib.sha256(content).hexdigest() for content in (b"one", b"two")}


def told(*blobs: bytes) -> bytes:
    """Return what `git cat-file --batch` says of blobs."""
    return b"".join(b"%040x blob %d\n%b\n" % (number, len(blob), blob) for number, blob in enumerate(blobs))


def test_pointers_among_anything_are_found() -> None:
    blobs = told(b"", ONE, b"end\n", bytes(range(256)), b"0 blob 5\n", ONE, TWO, b"\n\n")

    assert objects_in(BytesIO(blobs + b"end\n")) == OIDS


def test_an_object_that_is_missing_is_passed_over() -> None:
    assert objects_in(BytesIO(b"1234 missing\n" + told(ONE, TWO) + b"end\n")) == OIDS


@pytest.mark.parametrize("said", [b"", told(ONE), told(ONE)[:-20]])
def test_who_was_cut_off_gets_no_answer(said: bytes) -> None:
    assert objects_in(BytesIO(said)) is None


@pytest.mark.parametrize(
    "content",
    [
        pointer_to(b"x"),
        pointer_to(b"x")[:-1],
        pointer_to(b"x").replace(b"\n", b"\r\n"),
        pointer_to(b"x").replace(b"\noid", b"\next-0-a sha256:" + b"1" * 64 + b"\noid"),
    ],
)
def test_a_pointer_may_be_written_in_several_ways(content: bytes) -> None:
    assert pointer_in(content) == Pointer(hashlib.sha256(b"x").hexdigest(), 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\n" + pointer_to(b"x"),
        pointer_to(b"x").replace(b"sha256:", b"sha512:"),
        pointer_to(b"x").replace(b"size 1", b"size -1"),
        pointer_to(b"x") + b"x" * 1024,
    ],
)
def test_what_is_no_pointer(content: bytes) -> None:
    assert pointer_in(content) is None
