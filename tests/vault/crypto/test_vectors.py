"""Streams that tink sealed, byte for byte, in both directions."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from .support import opened, sealed

FILE = Path(__file__).parents[2] / "vectors" / "tink-stream-vectors.json"
VECTORS = json.loads(FILE.read_text())["vectors"]


def plaintext(vector: dict[str, Any]) -> bytes:
    repeated = vector["plain_repeats"].encode()
    return (repeated * (vector["plain_len"] // len(repeated) + 1))[: vector["plain_len"]]


@pytest.fixture(params=VECTORS, ids=[f"{vector['segment_size']}-{vector['plain_len']}" for vector in VECTORS])
def vector(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


class TestVectors:
    def test_sealing_with_the_same_header_gives_the_bytes_that_tink_wrote(self, vector: dict[str, Any]) -> None:
        stream = _sealed(vector)
        assert len(stream) == vector["cipher_len"]
        assert hashlib.sha256(stream).hexdigest() == vector["cipher_sha256"]
        assert stream.hex() == vector.get("cipher", stream.hex())

    def test_what_tink_wrote_opens(self, vector: dict[str, Any]) -> None:
        # Where the file holds only the hash of a long stream, the test above has shown that this is that stream.
        stream = bytes.fromhex(vector["cipher"]) if "cipher" in vector else _sealed(vector)
        plain = opened(stream, **_parameters(vector))
        assert plain == plaintext(vector)


def _parameters(vector: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": bytes.fromhex(vector["key"]),
        "aad": bytes.fromhex(vector["aad"]),
        "segment_size": vector["segment_size"],
    }


def _sealed(vector: dict[str, Any]) -> bytes:
    return sealed(plaintext(vector), header=bytes.fromhex(vector["header"]), **_parameters(vector))
