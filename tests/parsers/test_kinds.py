"""Files without a certificate: the kind is told, what is secret is not."""

from __future__ import annotations

import base64
import json
import plistlib
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from parsers import read_here
from parsers.cloud import GoogleServicesParser
from parsers.interface import Budget

CORPUS = Path(__file__).parent / "corpus"
SECRET = "hunter2-do-not-show"
PEM_KEY = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"

SERVICE_ACCOUNT = {
    "type": "service_account",
    "project_id": "demo",
    "private_key_id": "0123abcd",
    "private_key": PEM_KEY,
    "client_email": "ci@demo.iam.gserviceaccount.com",
    "client_id": "1",
}
GOOGLE_SERVICES = {
    "project_info": {"project_number": "42", "project_id": "demo"},
    "client": [
        {
            "client_info": {"android_client_info": {"package_name": "org.example.app"}},
            "api_key": [{"current_key": SECRET}],
        }
    ],
}
FILES = {
    "service-account.json": (
        json.dumps(SERVICE_ACCOUNT).encode(),
        {
            "kind": "service_account",
            "client_email": "ci@demo.iam.gserviceaccount.com",
            "project_id": "demo",
            "key_id": "0123abcd",
        },
    ),
    "asc_key.json": (
        json.dumps({"key_id": "ABC123", "issuer_id": "69a6-1", "key": PEM_KEY, "in_house": False}).encode(),
        {"kind": "app_store_connect_key", "key_id": "ABC123", "issuer_id": "69a6-1"},
    ),
    "google-services.json": (
        json.dumps(GOOGLE_SERVICES).encode(),
        {"kind": "google_services", "project_id": "demo", "project_number": "42", "packages": ["org.example.app"]},
    ),
    "GoogleService-Info.plist": (
        plistlib.dumps(
            {"GOOGLE_APP_ID": "1:42:ios:1", "BUNDLE_ID": "org.example", "PROJECT_ID": "p", "API_KEY": SECRET}
        ),
        {"kind": "google_service_info", "google_app_id": "1:42:ios:1", "bundle_id": "org.example", "project_id": "p"},
    ),
    "keystore.properties": (
        f"storePassword={SECRET}\nkeyPassword={SECRET}\nkeyAlias=upload\nstoreFile=../upload.jks\n".encode(),
        {"kind": "keystore_properties"},
    ),
}


class TestSecretFiles:
    @pytest.mark.parametrize("name", FILES)
    def test_tell_whose_they_are_and_nothing_else(self, name: str) -> None:
        """What is shown is exactly this; nothing expires."""
        data, shown = FILES[name]

        found = read_here(name, data)

        assert found.metadata == shown
        assert found.expires_at is None
        assert SECRET not in repr(found)

    @pytest.mark.parametrize("name", FILES)
    def test_are_known_by_their_content(self, name: str) -> None:
        """Under a name that says something else."""
        data, shown = FILES[name]

        assert read_here("upload.p12", data).kind == shown["kind"]

    def test_a_key_in_the_wrong_field_is_not_shown(self) -> None:
        """Someone may paste the key where the address belongs."""
        data = json.dumps({**SERVICE_ACCOUNT, "client_email": PEM_KEY, "private_key_id": PEM_KEY}).encode()

        assert SECRET not in repr(read_here("x.json", data))

    @pytest.mark.parametrize("client", ["3", "true", '"text"', "{}", "[3]", '[{"client_info": 3}]', "null"])
    def test_a_number_where_a_list_belongs_is_none(self, client: str) -> None:
        """What is there all the same is told."""
        data = f'{{"project_info": {{"project_id": "demo"}}, "client": {client}}}'.encode()

        found = GoogleServicesParser().parse(data, None, Budget())

        assert found.fields == {"project_id": "demo", "project_number": None, "packages": []}

    @pytest.mark.parametrize("name", ["rsa.key", "fastlane_key.p12", "AuthKey_ABCDEFGHIJ.p8", "key_first.pem"])
    def test_private_keys_are_never_shown(self, name: str) -> None:
        """Not one line of them."""
        data = (CORPUS / name).read_bytes()

        shown = repr(read_here(name, data))

        assert not [line for line in data.decode().splitlines() if len(line) > 20 and line in shown]


class TestEncryptedByMatch:
    @pytest.mark.parametrize("header", [b"Salted__", b"match_encrypted_v2__"])
    def test_has_a_reason_of_its_own(self, header: bytes) -> None:
        """Both of match's formats; wrapped in lines or not."""
        for text in (base64.b64encode(header + bytes(200)), base64.encodebytes(header + bytes(200))):
            found = read_here("certs/distribution/ABC.p12", text)
            assert (found.error, found.metadata) == ("encrypted_elsewhere", None)


class TestUnknownFiles:
    @pytest.mark.parametrize(
        "data",
        [b"", b"\n", b"hello", b"{}", b"[1, 2]", b'{"key_id": 1}', b"PK\x03\x04", b"<html></html>",
         b"<?xml version='1.0'?>",
         b"storePassword=1\n", b"MIIB", b"-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n"],
    )  # fmt: skip
    @pytest.mark.parametrize("name", ["x", "x.cer", "x.mobileprovision"])
    def test_are_unrecognized(self, name: str, data: bytes) -> None:
        """Whatever they are called."""
        found = read_here(name, data)

        assert (found.error, found.metadata, found.expires_at) == ("unrecognized", None, None)


class TestPasswords:
    def test_debug_keystore_is_tried_with_androids_password(self) -> None:
        """Only under that name, in any folder, and only when no password was given."""
        data = (CORPUS / "pkcs12" / "debug.keystore").read_bytes()

        assert read_here("app/debug.keystore", data).error is None
        assert read_here("release.keystore", data).error == "password_missing"
        assert read_here("debug.keystore", data, "other").error == "password_wrong"

    def test_an_empty_password_is_tried_when_none_was_given(self) -> None:
        """GitLab opens a .p12 in this way only."""
        data = (CORPUS / "openssl_empty.p12").read_bytes()

        assert read_here("x.p12", data).error is None
        assert read_here("x.p12", data, "").error is None
        assert read_here("x.p12", data, "foo").error == "password_wrong"


class TestUber:
    def test_is_read_where_twofish_is_installed(self) -> None:
        """Elsewhere the reason says that no password would help."""
        found = read_here("bc.uber", (CORPUS / "bc.uber").read_bytes(), "secret")

        if find_spec("twofish") is None or sys.version_info >= (3, 12):
            assert found.error == "unsupported"
        else:
            assert found.metadata is not None
            assert {entry["alias"] for entry in found.metadata["entries"]} == {"bouncy", "root"}
