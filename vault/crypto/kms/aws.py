"""A key of AWS KMS, by boto3: credentials come from where every AWS program has them.

A row names the key by its ARN, `aws-kms:arn:…`, as the service told it when it wrapped: an alias may be pointed at
another key one day. Rotation inside one key is the service's own affair and is not seen here.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from vault.crypto.envelope import told
from vault.crypto.keysource import KeyInfo, WrappedKey
from vault.crypto.kms import TIMEOUT
from vault.crypto.masterkeys import KEY_SIZE
from vault.errors import BadKeyring, Invalid, Tampered, Unavailable, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.parse import SplitResult

    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef

IDS = "aws-kms:"
TRIES = 2

_REGION = re.compile(r"[a-z0-9-]{1,40}")
_NOT_OURS = {"InvalidCiphertextException", "IncorrectKeyException"}
_NOT_THERE = {"NotFoundException", "InvalidArnException", "ValidationException", "InvalidKeyUsageException"}


class AwsKey:
    """One key, or the keys that an alias was pointed at over time."""

    local = False

    def __init__(self, url: SplitResult) -> None:
        options = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self._key = unquote(url.path.removeprefix("/"))
        if not _REGION.fullmatch(url.netloc) or not self._key or options.keys() - {"endpoint"}:
            raise Invalid("--kms", "has to be aws-kms://REGION/KEY, where KEY is an id, alias/NAME or an ARN")
        self.place = f"aws-kms://{url.netloc}/{self._key}"
        self._region = url.netloc
        self._client: KMSClient = boto3.client(
            "kms",
            region_name=url.netloc,
            endpoint_url=options.get("endpoint"),
            config=Config(
                connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": TRIES, "mode": "standard"}
            ),
        )

    @property
    def primary(self) -> str:
        """The ARN that the key's name stands for now."""
        return IDS + self._described()["Arn"]

    def has(self, key_id: str) -> bool:
        """Any key of the region: an alias may have stood for it."""
        return key_id.startswith(f"{IDS}arn:") and key_id.removeprefix(IDS).split(":")[2:4] == ["kms", self._region]

    def wrap(self, data_key: bytes, aad: bytes) -> WrappedKey:
        """Have the service encrypt it, with the fields of `aad` as its context."""
        if len(data_key) != KEY_SIZE:
            raise ValueError(f"a data key has {KEY_SIZE} bytes")
        with self._explained(BadKeyring):
            answer = self._client.encrypt(KeyId=self._key, Plaintext=data_key, EncryptionContext=told(aad))
        return WrappedKey(IDS + answer["KeyId"], answer["CiphertextBlob"])

    def unwrap(self, wrapped: WrappedKey, aad: bytes) -> bytes:
        """Have the service decrypt it with the very key that the row names."""
        with self._explained(UnknownKey, wrapped.kek_id):
            answer = self._client.decrypt(
                KeyId=wrapped.kek_id.removeprefix(IDS), CiphertextBlob=wrapped.blob, EncryptionContext=told(aad)
            )
        if len(answer["Plaintext"]) != KEY_SIZE:
            raise Tampered("what the key service unwrapped is no data key", key_id=wrapped.kek_id)
        return answer["Plaintext"]

    def described(self) -> tuple[KeyInfo, ...]:
        """The key that wraps now."""
        key = self._described()
        made = key["CreationDate"].isoformat() if "CreationDate" in key else ""
        return (KeyInfo(IDS + key["Arn"], "active", "", made, self.place),)

    def _described(self) -> KeyMetadataTypeDef:
        with self._explained(BadKeyring):
            return self._client.describe_key(KeyId=self._key)["KeyMetadata"]

    @contextmanager
    def _explained(self, missing: type[BadKeyring] | type[UnknownKey], key_id: str = "") -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            # What it says of a ciphertext whose key is gone, or is somebody else's.
            if code in _NOT_THERE or "ciphertext refers to" in error.response.get("Error", {}).get("Message", ""):
                raise missing(f'the key "{key_id or self._key}" is not to be had at {self.place} ({code})') from error
            if code in _NOT_OURS:
                raise Tampered(
                    f'the wrapped key does not open with the master key "{key_id}": it, or the row it belongs to, was '
                    "changed",
                    key_id=key_id,
                ) from error
            raise Unavailable(f"the key service at {self.place} refuses ({code})") from error
        except BotoCoreError as error:
            raise Unavailable(f"the key service at {self.place} does not answer ({type(error).__name__})") from error
