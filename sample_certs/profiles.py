"""Provisioning profiles: a property list inside a signed CMS message, as Apple's portal makes them."""

from __future__ import annotations

import plistlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from sample_certs.identities import TEAM_ID, TEAM_NAME, profile_signer

if TYPE_CHECKING:
    from sample_certs.issuing import Identity

_BUNDLE_ID = "com.example.ios-demo"
_DEVICES = ["00008101-00000000SAMPLE01", "00008101-00000000SAMPLE02"]


def development_profile(developer: Identity, made: datetime, until: datetime) -> bytes:
    """Return a profile for two devices; it may be debugged."""
    fields = _fields("match Development " + _BUNDLE_ID, developer, made, until, debuggable=True)
    fields |= {"UUID": "6b9fcce1-b9a9-4b37-b2ce-ec4da2044abf", "ProvisionedDevices": _DEVICES}
    return signed(plistlib.dumps(fields), made)


def store_profile(distributor: Identity, made: datetime, until: datetime) -> bytes:
    """Return a profile for the App Store: it names no devices."""
    fields = _fields("match AppStore " + _BUNDLE_ID, distributor, made, until, debuggable=False)
    fields |= {"UUID": "0d1c0c1e-5a3b-4c43-9f62-5a4d1e000001"}
    return signed(plistlib.dumps(fields), made)


def entity_bomb(made: datetime) -> bytes:
    """Return a signed list that is 3 GB of text once its entities are expanded ("billion laughs")."""
    entities = ['<!ENTITY lol0 "lol">']
    entities += [f'<!ENTITY lol{depth} "{f"&lol{depth - 1};" * 10}">' for depth in range(1, 10)]
    document = (
        f'<?xml version="1.0"?><!DOCTYPE plist [{"".join(entities)}]>'
        '<plist version="1.0"><dict><key>Name</key><string>&lol9;</string></dict></plist>'
    )
    return signed(document.encode(), made)


def signed(content: bytes, made: datetime) -> bytes:
    """Return `content` inside CMS SignedData (RFC 5652). No signed attributes: they would hold the hour of making."""
    signer = profile_signer(made)
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content)
    builder = builder.add_signer(signer.certificate, signer.key, hashes.SHA256())
    for certificate in signer.above:
        builder = builder.add_certificate(certificate)
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes])


def _fields(title: str, signer: Identity, made: datetime, until: datetime, *, debuggable: bool) -> dict[str, Any]:
    return {
        "AppIDName": "iOS Demo",
        "ApplicationIdentifierPrefix": [TEAM_ID],
        "CreationDate": _plist_date(made),
        "DeveloperCertificates": [signer.der],
        "Entitlements": {
            "application-identifier": f"{TEAM_ID}.{_BUNDLE_ID}",
            "com.apple.developer.game-center": True,
            "com.apple.developer.team-identifier": TEAM_ID,
            "get-task-allow": debuggable,
            "keychain-access-groups": [f"{TEAM_ID}.*"],
        },
        "ExpirationDate": _plist_date(until),
        "IsXcodeManaged": False,
        "Name": title,
        "Platform": ["iOS"],
        "TeamIdentifier": [TEAM_ID],
        "TeamName": TEAM_NAME,
        "TimeToLive": (until - made).days,
        "Version": 1,
    }


def _plist_date(moment: datetime) -> datetime:
    # Property lists know no zones; plistlib takes the naive time for UTC.
    return moment.astimezone(UTC).replace(tzinfo=None)
