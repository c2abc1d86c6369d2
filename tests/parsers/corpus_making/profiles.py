"""Provisioning profiles."""

from __future__ import annotations

import plistlib
from datetime import datetime

from tests.parsers.corpus_making.tools import openssl_says, run
from tests.parsers.corpus_making.workshop import Corpus, der_of


def profiles(corpus: Corpus) -> None:
    """Provisioning profiles, signed by `openssl cms`."""
    certificates_of = [der_of(corpus.leaf), der_of(corpus.authority)]
    profile = {
        "UUID": "6b9fcce1-b9a9-4b37-b2ce-ec4da2044abf",
        "ExpirationDate": datetime(2033, 8, 1, 23, 15, 13),  # noqa: DTZ001 - as plistlib wants it: UTC
        "CreationDate": datetime(2032, 8, 1, 23, 15, 13),  # noqa: DTZ001 - as above
        "Platform": ["iOS"],
        "TeamName": "Example, Inc.",
        "TeamIdentifier": ["N7SYAN8PX8"],
        "AppIDName": "iOS Demo",
        "Name": "match Development org.example.demo",
        "ApplicationIdentifierPrefix": ["N7SYAN8PX8"],
        "IsXcodeManaged": False,
        "Entitlements": {"get-task-allow": True, "keychain-access-groups": ["N7SYAN8PX8.*"]},
        "ProvisionedDevices": ["00008101-001454860C10001E"],
        "DeveloperCertificates": certificates_of,
    }
    said = {
        "id": profile["UUID"],
        "expires_at": "2033-08-01T23:15:13.000Z",
        "platforms": ["iOS"],
        "team_name": "Example, Inc.",
        "team_id": ["N7SYAN8PX8"],
        "app_name": "iOS Demo",
        "app_id": profile["Name"],
        "app_id_prefix": ["N7SYAN8PX8"],
        "xcode_managed": False,
        "entitlements": profile["Entitlements"],
        "devices": profile["ProvisionedDevices"],
        "certificate_ids": [openssl_says(corpus.leaf)["id"], openssl_says(corpus.authority)["id"]],
    }
    corpus.add("adhoc.mobileprovision", _signed(corpus, plistlib.dumps(profile)), said)
    corpus.add("adhoc_stream.mobileprovision", _signed(corpus, plistlib.dumps(profile), "-stream"), said)
    binary = plistlib.dumps(profile, fmt=plistlib.FMT_BINARY)
    corpus.add("binary_plist.mobileprovision", _signed(corpus, binary), said)
    corpus.add("renamed.p12", _signed(corpus, plistlib.dumps(profile)), said)
    store = {key: value for key, value in profile.items() if key not in ("ProvisionedDevices", "DeveloperCertificates")}
    said_store = {**said, "devices": None, "certificate_ids": []}
    corpus.add("app_store.mobileprovision", _signed(corpus, plistlib.dumps(store)), said_store)
    corpus.add(
        "mac.provisionprofile",
        _signed(corpus, plistlib.dumps({**profile, "Platform": ["OSX"]})),
        {**said, "platforms": ["OSX"]},
    )
    corpus.add("list.mobileprovision", _signed(corpus, plistlib.dumps([1])), {"error": "malformed"})
    corpus.add("text.mobileprovision", _signed(corpus, b"hello"), {"error": "unrecognized"})
    corpus.add("bare_plist.mobileprovision", plistlib.dumps(profile), {"error": "unrecognized"})
    corpus.add(
        "page.mobileprovision", b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", {"error": "unrecognized"}
    )
    corpus.add("cut_short.mobileprovision", _signed(corpus, plistlib.dumps(profile))[:-5], {"error": "truncated"})


def _signed(corpus: Corpus, content: bytes, *options: str) -> bytes:
    signer = corpus.file("signer.pem", corpus.leaf)
    command = ("openssl", "cms", "-sign", "-nodetach", "-binary", "-outform", "DER", "-signer", signer)
    return run(*command, "-inkey", corpus.ec, *options, stdin=content)
