"""Apple's provisioning profiles: a property list inside CMS signed data. The keys are GitLab's."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from parsers.certificate import Certificate, read_certificate
from parsers.cms import is_profile_name, is_signed_data, read_signed_data
from parsers.interface import Json, Metadata, Unreadable
from parsers.plain import timestamp
from parsers.plist import looks_like_plist, read_plist

if TYPE_CHECKING:
    from parsers.interface import Budget

T = TypeVar("T")


class ProfileParser:
    """A .mobileprovision or .provisionprofile, of any name."""

    kind = "mobileprovision"

    def sniff(self, head: bytes, name: str) -> int:
        """Any signed data: only its content tells a profile from other signed things."""
        return 92 + 3 * is_profile_name(name) if is_signed_data(head) else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Describe the profile; it expires on its own date, whatever its certificates say."""
        signed = read_signed_data(data)
        if signed.content is None or not looks_like_plist(signed.content):
            raise Unreadable("unrecognized")
        profile = read_plist(signed.content)
        expires_at = _time(profile.get("ExpirationDate"))
        return Metadata(_fields(profile, expires_at), expires_at)


def _fields(profile: Json, expires_at: str | None) -> Json:
    certificates = _certificates(profile)
    fields = {
        "id": _only(profile.get("UUID"), str),
        "expires_at": expires_at,
        "platforms": _texts(profile.get("Platform")),
        "team_name": _only(profile.get("TeamName"), str),
        "team_id": _texts(profile.get("TeamIdentifier")),
        "app_name": _only(profile.get("AppIDName"), str),
        "app_id": _only(profile.get("Name"), str),
        "app_id_prefix": _texts(profile.get("ApplicationIdentifierPrefix")),
        "xcode_managed": _only(profile.get("IsXcodeManaged"), bool),
        "entitlements": _only(profile.get("Entitlements"), dict),
        "devices": _texts(profile.get("ProvisionedDevices")),
        "certificate_ids": [str(certificate.serial) for certificate in certificates],
    }
    if certificates:
        fields["certificate_sha256"] = [certificate.sha256 for certificate in certificates]
        fields["certificates_expire_at"] = min(certificate.expires_at for certificate in certificates)
    return fields


def _certificates(profile: Json) -> list[Certificate]:
    """Read the certificates that may sign with the profile; one that is damaged does not hide the profile's date."""
    found = []
    for encoding in _items(profile.get("DeveloperCertificates"), bytes):
        try:
            found.append(read_certificate(encoding))
        except Unreadable:
            continue
    return found


# A property list has types of its own and an attacker any: what is of another type than GitLab's is as good as absent.


def _items(value: Any, kind: type[T]) -> list[T]:
    return [item for item in value if isinstance(item, kind)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str] | None:
    return _items(value, str) if isinstance(value, list) else None


def _only(value: Any, kind: type[T]) -> T | None:
    return value if isinstance(value, kind) else None


def _time(value: Any) -> str | None:
    return timestamp(value) if isinstance(value, datetime) else None
