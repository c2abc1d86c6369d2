"""What the vault seals, tink opens, and the other way round; tink is another implementation, by others."""

from __future__ import annotations

import base64
import io
import json
import random

import pytest

from vault.crypto.layout import SEGMENT_SIZE

from .support import AAD, BORDER_SIZES, KEY, OTHER_KEY, SMALL, opened, pattern, reader, sealed

tink = pytest.importorskip("tink", reason="tink has no wheel for this Python")
from tink import secret_key_access, streaming_aead  # noqa: E402 - only when tink is there

SIZES = (*BORDER_SIZES, 130_998, 131_002, 196_519, 196_520, 196_521, 5_000_000, 5 * 2**20)


def primitive(key: bytes, segment_size: int) -> streaming_aead.StreamingAead:
    """Return tink's AES256-GCM-HKDF streaming AEAD with HKDF-SHA256, a derived key of 32 bytes and no prefix."""
    from tink.proto import aes_gcm_hkdf_streaming_pb2, common_pb2

    streaming_aead.register()
    value = aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingKey(
        key_value=key,
        params=aes_gcm_hkdf_streaming_pb2.AesGcmHkdfStreamingParams(
            ciphertext_segment_size=segment_size, derived_key_size=32, hkdf_hash_type=common_pb2.SHA256
        ),
    )
    entry = {
        "keyData": {
            "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
            "value": base64.b64encode(value.SerializeToString()).decode(),
            "keyMaterialType": "SYMMETRIC",
        },
        "status": "ENABLED",
        "keyId": 1,
        "outputPrefixType": "RAW",
    }
    keyset = json.dumps({"primaryKeyId": 1, "key": [entry]})
    handle = tink.json_proto_keyset_format.parse(keyset, secret_key_access.TOKEN)
    return handle.primitive(streaming_aead.StreamingAead)


class Sink(io.BytesIO):
    """Remembers what was in it when tink closed it."""

    content = b""

    def close(self) -> None:
        self.content = self.getvalue()
        super().close()


def sealed_by_tink(plain: bytes, aad: bytes, segment_size: int, key: bytes = KEY) -> bytes:
    sink = Sink()
    with primitive(key, segment_size).new_encrypting_stream(sink, aad) as stream:
        stream.write(plain)
    return sink.content


def opened_by_tink(stream: bytes, aad: bytes, segment_size: int, key: bytes = KEY) -> bytes:
    with primitive(key, segment_size).new_decrypting_stream(io.BytesIO(stream), aad) as plain:
        return plain.read()


class TestTink:
    @pytest.mark.parametrize("aad", [b"", AAD], ids=["no-aad", "aad"])
    @pytest.mark.parametrize("size", SIZES)
    def test_streams_go_both_ways(self, size: int, aad: bytes) -> None:
        plain, choice = pattern(size), random.Random(size)
        ours, theirs = sealed(plain, aad=aad), sealed_by_tink(plain, aad, SEGMENT_SIZE)
        assert len(ours) == len(theirs)
        assert opened_by_tink(ours, aad, SEGMENT_SIZE) == plain
        assert opened(theirs, aad=aad) == plain
        opening = reader(theirs, aad=aad)
        for _ in range(5):
            start, stop = sorted((choice.randint(0, size), choice.randint(0, size)))
            assert b"".join(opening.pieces(start, stop)) == plain[start:stop]

    @pytest.mark.parametrize("segment_size", [SMALL, 4096, 2**20])
    def test_segments_of_other_sizes_go_both_ways(self, segment_size: int) -> None:
        layout_borders = (0, 1, segment_size - 56, segment_size - 55, segment_size, 2 * segment_size + 7)
        for plain in map(pattern, layout_borders):
            assert opened_by_tink(sealed(plain, segment_size=segment_size), AAD, segment_size) == plain
            assert opened(sealed_by_tink(plain, AAD, segment_size), segment_size=segment_size) == plain

    def test_tink_refuses_what_we_refuse(self) -> None:
        stream = sealed(pattern(300), segment_size=SMALL)
        changed = bytearray(stream)
        changed[200] ^= 1
        for damaged, aad, key in (
            (bytes(changed), AAD, KEY),
            (stream[: 2 * SMALL], AAD, KEY),
            (stream, b"other", KEY),
            (stream, AAD, OTHER_KEY),
        ):
            with pytest.raises(tink.TinkError):
                opened_by_tink(damaged, aad, SMALL, key)
