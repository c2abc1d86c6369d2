"""Each source of master keys, held to the same contract; and what is peculiar to outside services."""

from __future__ import annotations

import base64
import itertools
import os
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from server.keyrings import open_keyring
from server.settings import load
from tests.keyservices import ROOT_TOKEN, needs_bao
from tests.keysource_suite import AAD, DATA_KEY, INSTANCE, KeySourceContract
from vault.catalog import open_catalog
from vault.crypto.keyring import Keyring
from vault.crypto.keysource import WrappedKey
from vault.crypto.kms import aws as aws_driver
from vault.crypto.kms import open_kms
from vault.crypto.kms import transit as transit_driver
from vault.errors import BadKeyring, Invalid, Tampered, Unavailable, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.keyservices import Aws, Bao
    from vault.catalog.database import Database
    from vault.crypto.keysource import KeySource

NUMBERS = itertools.count(1)


class OfSettings:
    """A keyring as settings name it; `kind` is how."""

    def __init__(self, folder: Path, kind: str, database: Database) -> None:
        self.rotates = kind == "file"
        self._folder = folder
        self._database = database
        self._environment = self._made(kind)

    def _made(self, kind: str) -> dict[str, str]:
        made = self._folder / f"{next(NUMBERS)}.json"
        Keyring.create(made)
        key = base64.b64encode(os.urandom(32)).decode()
        self._folder.joinpath("secure-files.keyring").write_text(made.read_text())
        (self._folder / "key").write_text(key + "\n")
        self._credentials(kind, made.read_text(), key)
        return {
            "file": {"SECURE_FILES_KEYRING": str(made)},
            "JSON": {"SECURE_FILES_KEYRING_JSON": made.read_text()},
            "JSON in the place of a file": {"SECURE_FILES_KEYRING": made.read_text()},
            "master key": {"SECURE_FILES_MASTER_KEY": key},
            "file of a master key": {"SECURE_FILES_MASTER_KEY_FILE": str(self._folder / "key")},
            "credential": {"CREDENTIALS_DIRECTORY": str(self._folder / kind)},
            "credential of a master key": {"CREDENTIALS_DIRECTORY": str(self._folder / kind)},
        }[kind]

    def _credentials(self, kind: str, keyring: str, key: str) -> None:
        """Put a credential where systemd does: with access lists its files look readable to a group."""
        folder = self._folder / kind
        folder.mkdir(exist_ok=True)
        name, text = ("master-key", key) if "master key" in kind else ("keyring", keyring)
        (folder / f"secure-files.{name}").write_text(text)
        (folder / f"secure-files.{name}").chmod(0o440)

    def open(self) -> KeySource:
        return open_keyring(load({"data": self._folder / "data"}, self._environment), self._database, create=False)

    def rotate(self) -> None:
        source = self.open()
        assert isinstance(source, Keyring)
        source.rotate()

    def foreign(self) -> KeySource:
        return Keyring.create(self._folder / f"{next(NUMBERS)}.json")


class TestKeysOfOurOwn(KeySourceContract):
    @pytest.fixture(
        params=[
            "file",
            "JSON",
            "JSON in the place of a file",
            "master key",
            "file of a master key",
            "credential",
            "credential of a master key",
        ]
    )
    def shelf(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OfSettings]:
        database = open_catalog(f"sqlite:{tmp_path / 'catalog.sqlite'}")
        database.migrate()
        # A bare master key does not say whose it is: the catalog does.
        database.write(lambda tx: tx.query("INSERT INTO instance (name, value) VALUES ('id', :id)", id=INSTANCE))
        yield OfSettings(tmp_path, request.param, database)
        database.close()

    def test_is_asked_without_a_network(self, shelf: OfSettings) -> None:
        assert shelf.open().local


class OfTransit:
    """A key of a real OpenBao, reached with a token that may do no more than the documents ask for."""

    rotates = True

    def __init__(self, bao: Bao, **settings: object) -> None:
        self.bao = bao
        self.key = bao.key(**settings)
        self.token = bao.token(self.key)

    def open(self) -> KeySource:
        return open_kms(self.bao.url(self.key), lambda: self.token)

    def rotate(self) -> None:
        self.bao("POST", f"transit/keys/{self.key}/rotate")

    def foreign(self) -> KeySource:
        return OfTransit(self.bao).open()


class OfAws:
    """A key of AWS KMS under a name of its own, which is pointed at another key when it is to rotate."""

    rotates = True

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.name = aws.alias(aws.key())

    def open(self) -> KeySource:
        return open_kms(self.aws.url(self.name), str)

    def rotate(self) -> None:
        self.aws.client.update_alias(AliasName=self.name, TargetKeyId=self.aws.key())

    def foreign(self) -> KeySource:
        return open_kms(self.aws.url(self.aws.key()).replace("eu-west-1", "us-east-1"), str)


class TestAwsKms(KeySourceContract):
    # moto denies the access, in no words, where AWS says that it is another key.
    does_not_open = (Tampered, UnknownKey, Unavailable)

    @pytest.fixture
    def shelf(self, aws: Aws) -> OfAws:
        return OfAws(aws)

    def test_a_row_names_the_key_itself_and_not_its_alias(self, shelf: OfAws) -> None:
        assert shelf.open().wrap(DATA_KEY, AAD).kek_id.startswith("aws-kms:arn:aws:kms:eu-west-1:")

    def test_what_a_key_is_bound_to_can_be_read_in_the_services_own_log(self, shelf: OfAws) -> None:
        wrapped = shelf.open().wrap(DATA_KEY, AAD)
        context = {
            "format": "secure-files/v1",
            "alg": "1",
            "instance": INSTANCE,
            "blob": "00112233445566778899aabbccddeeff",
            "family": "secure_files",
            "project": "42",
            "size": "5",
            "sha256": "00" * 32,
        }

        answer = shelf.aws.client.decrypt(CiphertextBlob=wrapped.blob, EncryptionContext=context)
        assert answer["Plaintext"] == DATA_KEY

    def test_a_key_that_is_not_there_is_named(self, aws: Aws) -> None:
        source = open_kms(aws.url("alias/absent"), str)

        with pytest.raises(BadKeyring, match="alias/absent"):
            source.wrap(DATA_KEY, AAD)
        with pytest.raises(UnknownKey):
            source.unwrap(WrappedKey("aws-kms:arn:aws:kms:eu-west-1:123456789012:key/absent", b"x" * 50), AAD)


@pytest.mark.parametrize("case", [pytest.param("case", marks=needs_bao)])
class TestTransit(KeySourceContract):
    @pytest.fixture(params=[{}, {"derived": True}, {"type": "chacha20-poly1305"}], ids=["plain", "derived", "chacha"])
    def shelf(self, bao: Bao, case: str, request: pytest.FixtureRequest) -> OfTransit:
        return OfTransit(bao, **request.param)


@pytest.mark.parametrize("case", [pytest.param("case", marks=needs_bao)])
class TestTransitItself:
    @pytest.fixture
    def shelf(self, bao: Bao, case: str) -> OfTransit:
        return OfTransit(bao)

    def test_a_row_names_the_version_that_wrapped(self, shelf: OfTransit) -> None:
        shelf.rotate()

        assert shelf.open().wrap(DATA_KEY, AAD).kek_id == f"vault-transit:transit/{shelf.key}:v2"
        states = {info.id.rpartition(":")[2]: info.state for info in shelf.open().described()}
        assert states == {"v1": "decrypt-only", "v2": "active"}

    def test_a_version_that_is_given_up_is_a_missing_key(self, shelf: OfTransit) -> None:
        source = shelf.open()
        old = source.wrap(DATA_KEY, AAD)
        shelf.rotate()
        shelf.bao("POST", f"transit/keys/{shelf.key}/config", min_decryption_version=2)

        with pytest.raises(UnknownKey, match="disallowed by policy"):
            source.unwrap(old, AAD)
        assert [info.id[-2:] for info in source.described()] == ["v2"]

    def test_a_token_without_the_rights_is_unavailable_and_not_told(self, shelf: OfTransit) -> None:
        wrapped = shelf.open().wrap(DATA_KEY, AAD)
        shelf.token = shelf.bao.token(shelf.bao.key())
        source = shelf.open()

        for ask in (lambda: source.primary, lambda: source.wrap(DATA_KEY, AAD), lambda: source.unwrap(wrapped, AAD)):
            with pytest.raises(Unavailable, match="refuses the vault's token or what it may do") as raised:
                ask()
            assert shelf.token not in f"{raised.value} {raised.value.__cause__}"

    def test_a_token_that_was_renewed_in_its_file_is_taken(self, shelf: OfTransit) -> None:
        source, good = shelf.open(), shelf.token
        wrapped = source.wrap(DATA_KEY, AAD)
        shelf.bao("POST", "auth/token/revoke", token=good)
        shelf.token = shelf.bao.token(shelf.key)

        assert source.unwrap(wrapped, AAD) == DATA_KEY

    def test_a_key_that_is_not_there_is_named_and_not_made(self, shelf: OfTransit) -> None:
        source = open_kms(shelf.bao.url("absent"), lambda: ROOT_TOKEN)

        with pytest.raises(BadKeyring, match="/transit/absent"):
            _ = source.primary
        assert "absent" not in shelf.bao("LIST", "transit/keys")["data"]["keys"]

    @pytest.mark.parametrize("kind", ["ed25519", "rsa-2048"])
    def test_a_key_of_a_kind_that_binds_nothing_is_refused(self, bao: Bao, case: str, kind: str) -> None:
        with pytest.raises(BadKeyring, match=f"is of type {kind}; it has to be one of"):
            _ = OfTransit(bao, type=kind).open().primary


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Give the same answer to everybody who asks."""

    class Always(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Always)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "127.0.0.1:{1}".format(*server.server_address)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestAServiceThatIsAway:
    """No answer is an error that passes, within seconds, and never a damaged file."""

    @pytest.fixture
    def silent(self) -> Iterator[str]:
        """An address that takes connections and never answers."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            yield "127.0.0.1:{1}".format(*listening.getsockname())

    @pytest.fixture
    def refusing(self) -> str:
        """An address where nobody listens."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return "127.0.0.1:{1}".format(*probe.getsockname())

    @pytest.fixture
    def broken(self) -> Iterator[str]:
        """A balancer whose servers are all gone."""
        with answering(502, b"<h1>Bad Gateway</h1>") as address:
            yield address

    @pytest.mark.parametrize("how", ["silent", "refusing", "broken"])
    @pytest.mark.parametrize("kind", ["transit", "aws"])
    def test_is_unavailable(
        self, how: str, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, aws: Aws
    ) -> None:
        monkeypatch.setattr(transit_driver, "TIMEOUT", 0.2)
        monkeypatch.setattr(aws_driver, "TIMEOUT", 0.2)
        address = request.getfixturevalue(how)
        url = (
            f"vault-transit+http://{address}/transit/k"
            if kind == "transit"
            else f"aws-kms://eu-west-1/k?endpoint=http://{address}"
        )
        source = open_kms(url, lambda: "t")
        key_id = "vault-transit:transit/k:v1" if kind == "transit" else "aws-kms:arn:aws:kms:eu-west-1:1:key/k"

        for ask in (
            lambda: source.primary,
            lambda: source.wrap(DATA_KEY, AAD),
            lambda: source.unwrap(WrappedKey(key_id, b"vault:v1:AAAA"), AAD),
        ):
            with pytest.raises(Unavailable, match="the key service at"):
                ask()

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            ("DisabledException", Unavailable),
            ("KMSInvalidStateException", Unavailable),
            ("AccessDeniedException", Unavailable),
            ("KeyUnavailableException", Unavailable),
            ("IncorrectKeyException", Tampered),
            ("InvalidCiphertextException", Tampered),
            ("NotFoundException", UnknownKey),
        ],
    )
    def test_aws_tells_what_passes_from_what_is_wrong(self, code: str, error: type[Exception], aws: Aws) -> None:
        with answering(400, f'{{"__type": "{code}", "message": "no"}}'.encode()) as address:
            source = open_kms(f"aws-kms://eu-west-1/k?endpoint=http://{address}", str)

            with pytest.raises(error):
                source.unwrap(WrappedKey("aws-kms:arn:aws:kms:eu-west-1:1:key/k", b"x"), AAD)


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            "vault-transit://host",
            "vault-transit://host/transit",
            "vault-transit:///transit/key",
            "vault-transit://token@host/transit/key",
            "vault-transit://host/transit/key?skip_verify=1",
            "aws-kms://eu-west-1",
            "aws-kms:///alias/key",
            "aws-kms://EU/alias/key",
            "aws-kms://eu-west-1/key?profile=x",
            "gcp-kms://key",
            "key",
        ],
    )
    def test_2_for_one_that_names_no_key(self, url: str) -> None:
        with pytest.raises(Invalid, match="--kms has to be"):
            open_kms(url, str)

    def test_data_keys_go_in_the_clear_to_this_machine_only(self) -> None:
        with pytest.raises(Invalid, match="in the clear"):
            open_kms("vault-transit+http://vault.example.com:8200/transit/key", str)
        for host in ("127.0.0.1:8200", "localhost:8200", "[::1]:8200"):
            assert open_kms(f"vault-transit+http://{host}/transit/key", str).place.endswith(f"{host}/transit/key")

    def test_a_mount_may_have_several_parts(self) -> None:
        source = open_kms("vault-transit://host/team/transit/key?namespace=ns", str)

        assert source.has("vault-transit:team/transit/key:v1")
        assert not source.has("vault-transit:transit/key:v1")
        assert urlsplit(source.place).query == ""

    def test_a_blob_of_another_key_is_no_answer_to_a_question(self) -> None:
        source = open_kms("vault-transit://host/transit/key", str)

        with pytest.raises(Tampered):
            source.unwrap(WrappedKey("vault-transit:transit/key:v2", b"vault:v1:AAAA"), AAD)
