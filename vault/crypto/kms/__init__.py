"""Outside key services: one address, one driver, the contract of `KeySource`.

The key never leaves the service; a data key goes there to be wrapped and unwrapped, over TLS, with what it is bound to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vault.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.crypto.keysource import KeySource

TIMEOUT = 5.0
"""Seconds that a connection, and then an answer, may take."""


def open_kms(url: str, token: Callable[[], str]) -> KeySource:
    """Return the key that an address names; asks nothing yet. `token` is called whenever a service wants one.

    `vault-transit://HOST[:PORT]/MOUNT/KEY` (`vault-transit+http://` in the clear, to this machine only) is a key of the
    Transit engine of HashiCorp Vault or OpenBao, `aws-kms://REGION/KEY` one of AWS KMS: id, alias/NAME or ARN. Raises
    `Invalid` for anything else, and when the driver's library is not installed.
    """
    parts = urlsplit(url)
    try:
        if parts.scheme in ("vault-transit", "vault-transit+http"):
            from vault.crypto.kms.transit import TransitKey  # noqa: PLC0415 - the library is an extra

            return TransitKey(parts, token)
        if parts.scheme == "aws-kms":
            from vault.crypto.kms.aws import AwsKey  # noqa: PLC0415

            return AwsKey(parts)
    except ImportError as error:
        extra = "aws-kms" if parts.scheme == "aws-kms" else "vault-transit"
        raise Invalid("--kms", f"needs a library: pip install 'secure-files-vault[{extra}]'") from error
    raise Invalid("--kms", "has to be vault-transit://HOST/MOUNT/KEY or aws-kms://REGION/KEY")
