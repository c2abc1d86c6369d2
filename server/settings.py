"""Every setting: a flag of the command line, a `SECURE_FILES_*` variable or a line of one TOML file, in this order.

This is the only module that reads the environment.
"""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.proxies import Network, networks
from server.tls import Certificate
from vault.blobs import ObjectOptions
from vault.errors import Invalid
from vault.models import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "SECURE_FILES_"
MIB = 1024 * 1024
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
ROLES = tuple(role.name.lower() for role in Role)


def setting(default: Any, about: str, *, least: float = 0, most: float = math.inf, one_of: tuple[str, ...] = ()) -> Any:
    """Declare one setting with the sentence that the documentation and `--help` show, and what its value may be."""
    return field(default=default, metadata={"about": about, "least": least, "most": most, "one_of": one_of})


@dataclass(frozen=True)
class Settings:
    """How this vault runs. Field names are the TOML keys; upper case after `SECURE_FILES_` they are the variables."""

    data: Path = setting(Path("data"), "folder of the catalog, the blobs and, unless told otherwise, the keyring")
    host: str = setting("127.0.0.1", "address to listen on")
    port: int = setting(8080, "port to listen on; 0 takes a free one", most=65535)
    database: str = setting("", "URL of the catalog; empty: SQLite in the data folder")
    database_connections: int = setting(8, "connections to PostgreSQL that each process may have open", least=1)
    blobs: str = setting("", "URL of the blob store; empty: files in the data folder")
    blobs_endpoint: str = setting(
        "", "address of an object store that is not Amazon's; empty: AWS_ENDPOINT_URL or that"
    )
    blobs_region: str = setting("", "region of the bucket; empty: AWS_REGION or us-east-1")
    blobs_access_key: str = setting("", "key id for the bucket; empty: AWS_ACCESS_KEY_ID or the machine's role")
    blobs_secret_key: str = setting("", "secret that belongs to the key id")
    blobs_addressing: str = setting("path", "where S3 requests name the bucket", one_of=("path", "virtual"))
    blobs_allow_http: bool = setting(False, "ask the object store in the clear where its address is http")
    blobs_ca_file: str = setting("", "file of certificates (PEM) that the object store's is trusted by as well")
    repositories: str = setting("", "folder of the git repositories; empty: repositories in the data folder")
    external_url: str = setting("", "address that clients use, for links; empty: the one in their request")
    trusted_proxy: tuple[str, ...] = setting((), "address or network of a proxy whose X-Forwarded headers are believed")
    tls_certificate: str = setting("", "PEM file of the server's certificate and its chain; empty: no TLS")
    tls_key: str = setting("", "PEM file of the certificate's key; empty: it is in the file of the certificate")
    insecure_http: bool = setting(False, "speak plain HTTP on an address that is not this machine's own")
    keyring: str = setting("", "file that holds the master keys; empty: keys/keyring.json in the data folder")
    keyring_json: str = setting("", "the keyring itself as JSON, instead of a file")
    master_key: str = setting("", "one master key in base64, instead of a keyring")
    master_key_file: str = setting("", "file that holds one master key in base64, instead of a keyring")
    kms: str = setting("", "key of an outside service that wraps: vault-transit://HOST/MOUNT/KEY, aws-kms://REGION/KEY")
    kms_also: str = setting("", "such keys that only unwrap, separated by spaces: those from before")
    kms_token: str = setting("", "token for vault-transit")
    kms_token_file: str = setting("", "file that holds that token, read again when the token in use is refused")
    credentials: str = setting("", "folder where systemd puts credentials; empty: CREDENTIALS_DIRECTORY")
    root_token: str = setting("", "the administrator's token at the first start; empty: a new one, printed once")
    secure_file_bytes: int = setting(5 * MIB, "secure files of this many bytes and more are refused", least=1)
    secure_files_per_project: int = setting(100, "secure files a project may hold")
    upload_bytes: int = setting(100 * MIB, "Markdown uploads of more than this many bytes are refused", least=1)
    upload_role: str = setting("none", "least role that may upload; none: who sees the project", one_of=ROLES)
    artifact_bytes: int = setting(100 * MIB, "job artifacts of more than this many bytes are refused", least=1)
    artifacts_expire_in: str = setting("30 days", "how long artifacts are kept whose job does not say; or never")
    repository_body_bytes: int = setting(20 * MIB, "bytes that a request may have which writes a repository's file")
    push_bytes: int = setting(1024 * MIB, "bytes that one git push may bring")
    lfs_object_bytes: int = setting(1024 * MIB, "Git LFS objects of more than this many bytes are refused", least=1)
    git_programs: int = setting(8, "git programs that may run at a time in each process that serves")
    recipients: str = setting("", "TOML file that says who is told before files expire; empty: nobody")
    notify_seconds: float = setting(300.0, "seconds between looks for what the recipients are to be told", least=1)
    metrics_from: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1"), "addresses and networks that may read /metrics without an administrator's token"
    )
    requests_per_minute: int = setting(0, "requests that a token may send in a minute; 0: any number")
    anonymous_requests_per_minute: int = setting(0, "the same of an address, without a good token; 0: any number")
    audit: str = setting("", "folder of the audit log; empty: audit in the data folder")
    audit_days: int = setting(365, "days that lines of the audit log are kept; 0: for ever")
    audit_file_bytes: int = setting(
        64 * MIB, "a file of the audit log of this many bytes is followed by another", least=1
    )
    workers: int = setting(1, "processes that serve; each may use a core", least=1)
    threads: int = setting(16, "threads that serve blocking work", least=1)
    parser_children: int = setting(2, "child processes that read uploaded files", least=1)
    grace: float = setting(20.0, "seconds that running requests get after SIGTERM")
    log: str = setting("text", "form of the log on stderr: text or json", one_of=("text", "json"))

    def database_url(self) -> str:
        """Return the catalog's URL."""
        return self.database or f"sqlite:{self.data.absolute() / 'catalog.sqlite'}"

    def blobs_url(self) -> str:
        """Return the blob store's URL."""
        return self.blobs or str(self.data.absolute() / "blobs")

    def object_options(self) -> ObjectOptions:
        """Return how an object store is reached. Raises `ValueError` when it cannot be."""
        return ObjectOptions(
            endpoint=self.blobs_endpoint,
            region=self.blobs_region,
            virtual_hosted=self.blobs_addressing == "virtual",
            access_key=self.blobs_access_key,
            secret_key=self.blobs_secret_key,
            allow_http=self.blobs_allow_http,
            ca_file=self.blobs_ca_file,
        )

    def repositories_path(self) -> Path:
        """Return the folder of the git repositories."""
        return Path(self.repositories) if self.repositories else self.data.absolute() / "repositories"

    def audit_path(self) -> Path:
        """Return the folder of the audit log."""
        return Path(self.audit) if self.audit else self.data.absolute() / "audit"

    def alone(self) -> bool:
        """Say whether no other server can share the catalog or the blobs: both lie in the data folder."""
        return not self.database and not self.blobs

    def least_upload_role(self) -> Role:
        """Return the role that an upload needs."""
        return Role[self.upload_role.upper()]

    def trusted_proxies(self) -> tuple[Network, ...]:
        """Return who is believed to say for whom he asks."""
        return networks(self.trusted_proxy)

    def certificate(self) -> Certificate | None:
        """Return the certificate of a server that has TLS of its own. Raises `Invalid` when it cannot be used."""
        if not self.tls_certificate:
            if self.tls_key:
                raise Invalid("tls_key", "is of no use without tls_certificate")
            return None
        return Certificate(Path(self.tls_certificate), Path(self.tls_key or self.tls_certificate))

    def may_be_heard_in_clear(self) -> bool:
        """Say whether an open address may be served: TLS is there, or somebody vouches for what stands before it."""
        return bool(self.tls_certificate or self.insecure_http or self.trusted_proxy)

    def keyring_path(self) -> Path:
        """Return where the keyring file lies when it is one."""
        return Path(self.keyring) if self.keyring else self.data / "keys" / "keyring.json"


def load(flags: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings in force. Raises `Invalid` for an unknown key or a value that does not fit."""
    environment = os.environ if environment is None else environment
    flags = {key: value for key, value in (flags or {}).items() if value is not None}
    given: dict[str, Any] = {}
    config = flags.pop("config", None) or environment.get(f"{PREFIX}CONFIG")
    if config:
        given.update(_from_toml(Path(config)))
    for each in fields(Settings):
        text = environment.get(PREFIX + each.name.upper())
        if text is not None and text != "":
            given[each.name] = text
    given.update(flags)
    if str(given.get("keyring", "")).lstrip().startswith("{"):
        given["keyring_json"] = given.pop("keyring")
    given.setdefault("credentials", environment.get("CREDENTIALS_DIRECTORY", ""))
    return replace(Settings(), **{key: _fit(key, value) for key, value in given.items()})


def share_metrics(folder: Path) -> None:
    """Have prometheus-client keep its numbers in files of this folder; it is told by the environment alone."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _from_toml(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Invalid("config", f"cannot be read: {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid("config", f"is not TOML: {path}: {error}") from error
    return table


def _fit(key: str, value: Any) -> Any:
    declared = {each.name: each for each in fields(Settings)}
    if key not in declared:
        raise Invalid(key, f"is not a setting; those are {', '.join(declared)}")
    default, rules = declared[key].default, declared[key].metadata
    if isinstance(default, bool):
        return _truth(key, value)
    if isinstance(default, tuple):
        return _addresses(key, value)
    if isinstance(default, int | float):
        number = _number(value, type(default))
        if number is None or not rules["least"] <= number <= rules["most"]:
            raise Invalid(key, f"has to be {_range(default, rules)}")
        return number
    # Not repeated: it may be a secret.
    if not isinstance(value, str | Path) or (isinstance(default, Path) and not str(value)):
        raise Invalid(key, f"has to be {'the name of a folder' if isinstance(default, Path) else 'a text'}")
    if rules["one_of"] and value not in rules["one_of"]:
        raise Invalid(key, f"has to be {' or '.join(rules['one_of'])}")
    return Path(value) if isinstance(default, Path) else str(value)


def _truth(key: str, value: Any) -> bool:
    found = value if isinstance(value, bool) else TRUTHS.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise Invalid(key, "has to be true or false")
    return found


def _addresses(key: str, value: Any) -> tuple[str, ...]:
    """Return a list of networks: of a flag given again and again, of a TOML list, or of words with commas between."""
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise Invalid(key, "has to be a list of addresses or networks")
    try:
        networks(words)
    except ValueError as error:
        raise Invalid(key, f"has to be a list of addresses or networks: {error}") from error
    return tuple(words)


def _number(value: Any, kind: type[int | float]) -> float | None:
    """Return the number that a value is or spells; None for a truth value, a fraction of a whole one, and the like."""
    if isinstance(value, bool) or not isinstance(value, str | int | kind):
        return None
    try:
        number = kind(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < math.inf else None


def _range(default: float, rules: Mapping[str, Any]) -> str:
    kind = "a whole number" if isinstance(default, int) else "a number"
    most = f" and at most {rules['most']}" if rules["most"] != math.inf else ""
    return f"{kind}, at least {rules['least']}{most}"
