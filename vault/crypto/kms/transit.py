"""A key of the Transit secrets engine, of HashiCorp Vault or OpenBao.

Its versions have ids of their own, `vault-transit:MOUNT/KEY:v3`: after a rotation there, re-wrapping moves the files
from the old version to the new one, and the old one can be given up. hvac speaks the protocol: it knows the status of
every answer, and both programs.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs

import hvac
import requests
from hvac import exceptions

from vault.crypto.keysource import KeyInfo, WrappedKey
from vault.crypto.kms import TIMEOUT
from vault.crypto.masterkeys import ACTIVE, DECRYPT_ONLY, KEY_SIZE
from vault.errors import BadKeyring, Invalid, Tampered, Unavailable, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from urllib.parse import SplitResult

T = TypeVar("T")

AEAD = ("aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305")
"""Kinds of keys that bind associated data."""

_CIPHERTEXT = re.compile(rb"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/=]+")
_OPTIONS = {"ca", "namespace"}


class TransitKey:
    """One key, all its versions; `token` returns the token to use, and is asked again when that one is refused."""

    local = False

    def __init__(self, url: SplitResult, token: Callable[[], str]) -> None:
        self._mount, _, self._name = url.path.strip("/").rpartition("/")
        options = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if not self._mount or not self._name or not url.hostname or options.keys() - _OPTIONS or url.username:
            raise Invalid("--kms", "has to be vault-transit://HOST[:PORT]/MOUNT/KEY, with ?ca=FILE and ?namespace=NAME")
        scheme = "http" if url.scheme.endswith("+http") else "https"
        if scheme == "http" and not _is_this_machine(url.hostname):
            raise Invalid("--kms", "would send data keys in the clear: vault-transit+http:// is for this machine only")
        self.place = f"{url.scheme}://{url.netloc}{url.path}"
        self._ids = f"vault-transit:{self._mount}/{self._name}:v"
        self._token = token
        self._client = hvac.Client(
            url=f"{scheme}://{url.netloc}",
            token=token(),
            timeout=TIMEOUT,
            namespace=options.get("namespace"),
            verify=options.get("ca", True),
            allow_redirects=False,  # hvac would follow with the token
        )

    @property
    def primary(self) -> str:
        """The latest version."""
        return f"{self._ids}{self._read()['latest_version']}"

    def has(self, key_id: str) -> bool:
        """Any version of this key."""
        return key_id.startswith(self._ids)

    def wrap(self, data_key: bytes, aad: bytes) -> WrappedKey:
        """Have the service encrypt it, with `aad` as associated data and, for a derived key, as the context."""
        if len(data_key) != KEY_SIZE:
            raise ValueError(f"a data key has {KEY_SIZE} bytes")
        plain = base64.b64encode(data_key).decode()
        with self._explained(BadKeyring):
            answer = self._ask(lambda client, bound: client.encrypt_data(self._name, plaintext=plain, **bound), aad)
        blob = str(answer["ciphertext"]).encode()
        return WrappedKey(f"{self._ids}{self._version(blob)}", blob)

    def unwrap(self, wrapped: WrappedKey, aad: bytes) -> bytes:
        """Have the service decrypt it."""
        if wrapped.kek_id != f"{self._ids}{self._version(wrapped.blob)}":
            raise Tampered("the wrapped key is of another version than its row says", key_id=wrapped.kek_id)
        text = wrapped.blob.decode("ascii")
        with self._explained(UnknownKey, wrapped.kek_id):
            answer = self._ask(lambda client, bound: client.decrypt_data(self._name, ciphertext=text, **bound), aad)
        try:
            data_key = base64.b64decode(str(answer["plaintext"]), validate=True)
        except binascii.Error:
            data_key = b""
        if len(data_key) != KEY_SIZE:
            raise Tampered("what the key service unwrapped is no data key", key_id=wrapped.kek_id)
        return data_key

    def described(self) -> tuple[KeyInfo, ...]:
        """The versions that can still be used."""
        key = self._read()
        usable = sorted(int(number) for number in key["keys"] if int(number) >= key["min_decryption_version"])
        latest = key["latest_version"]
        return tuple(
            KeyInfo(f"{self._ids}{number}", ACTIVE if number == latest else DECRYPT_ONLY, "", "", self.place)
            for number in usable
        )

    def _read(self) -> dict[str, Any]:
        with self._explained(BadKeyring):
            key: dict[str, Any] = self._with_token(
                lambda: self._client.secrets.transit.read_key(self._name, mount_point=self._mount)
            )["data"]
        if key["type"] not in AEAD:
            raise BadKeyring(f"the key at {self.place} is of type {key['type']}; it has to be one of {', '.join(AEAD)}")
        return key

    def _ask(self, call: Callable[[Any, dict[str, str]], Any], aad: bytes) -> dict[str, Any]:
        encoded = base64.b64encode(aad).decode()
        bound = {"associated_data": encoded, "context": encoded, "mount_point": self._mount}
        data: dict[str, Any] = self._with_token(lambda: call(self._client.secrets.transit, bound))["data"]
        return data

    def _with_token(self, call: Callable[[], T]) -> T:
        """Call; when the token is refused and there is another one by now, once more with that."""
        try:
            return call()
        except (exceptions.Unauthorized, exceptions.Forbidden):
            if (newer := self._token()) == self._client.token:
                raise
            self._client.token = newer
            return call()

    @contextmanager
    def _explained(self, missing: type[BadKeyring] | type[UnknownKey], key_id: str = "") -> Iterator[None]:
        try:
            yield
        except exceptions.InvalidRequest as error:
            raise self._refused(error, missing, key_id) from error
        except exceptions.InvalidPath as error:
            raise missing(f"there is no key at {self.place}") from error
        except (exceptions.Unauthorized, exceptions.Forbidden) as error:
            raise Unavailable(f"the key service at {self.place} refuses the vault's token or what it may do") from error
        except (exceptions.VaultError, requests.RequestException) as error:
            raise Unavailable(f"the key service at {self.place} does not answer ({type(error).__name__})") from error

    def _refused(
        self, error: exceptions.InvalidRequest, missing: type[BadKeyring] | type[UnknownKey], key_id: str
    ) -> Exception:
        """Tell a key that is not there, or not to be used any more, from one that does not fit."""
        said = ", ".join(error.errors or ())
        if "not found" in said or "disallowed by policy" in said or "too new" in said or "deleted" in said:
            return missing(f'the key "{key_id or self._name}" is not to be had at {self.place} (it says: {said[:200]})')
        if missing is BadKeyring:
            return BadKeyring(f"the key at {self.place} does not wrap (it says: {said[:200]})")
        return Tampered(
            f'the wrapped key does not open with the master key "{key_id}": it, or the row it belongs to, was changed',
            key_id=key_id,
        )

    def _version(self, blob: bytes) -> str:
        found = _CIPHERTEXT.fullmatch(blob)
        if found is None:
            raise Tampered("a wrapped key does not look like that")
        return found[1].decode()


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
