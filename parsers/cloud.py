"""Credentials and settings of app stores and clouds in JSON: which account they are for, never their secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from parsers.interface import Json, Metadata, Unreadable

if TYPE_CHECKING:
    from parsers.interface import Budget


class _JsonParser:
    kind = ""
    marks: tuple[bytes, ...] = ()

    def sniff(self, head: bytes, _name: str) -> int:
        """An object whose first 4 KiB name the kind's own keys; surer than PEM, which may be inside."""
        is_object = head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
        return 97 if is_object and all(mark in head for mark in self.marks) else 0

    def parse(self, data: bytes, _password: str | None, _budget: Budget) -> Metadata:
        """Tell whose file it is."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise Unreadable("malformed") from None
        if not isinstance(document, dict):
            raise Unreadable("unrecognized")
        return Metadata(self.describe(document))

    def describe(self, document: Json) -> Json:
        """Return what may be shown. Raises `Unreadable("unrecognized")`."""
        raise NotImplementedError


class ServiceAccountParser(_JsonParser):
    """The key of a Google Cloud service account, as Google Play wants it."""

    kind = "service_account"
    marks = (b'"service_account"',)

    def describe(self, document: Json) -> Json:
        """Tell the account and the key's id."""
        if document.get("type") != "service_account":
            raise Unreadable("unrecognized")
        return {
            "client_email": _text(document.get("client_email")),
            "project_id": _text(document.get("project_id")),
            "key_id": _text(document.get("private_key_id")),
        }


class AppStoreConnectParser(_JsonParser):
    """An App Store Connect API key as fastlane keeps it."""

    kind = "app_store_connect_key"
    marks = (b'"key_id"', b'"key"')

    def describe(self, document: Json) -> Json:
        """Tell the key's and the issuer's id."""
        if "key" not in document:
            raise Unreadable("unrecognized")
        return {"key_id": _text(document.get("key_id")), "issuer_id": _text(document.get("issuer_id"))}


class GoogleServicesParser(_JsonParser):
    """Firebase's google-services.json of an Android app."""

    kind = "google_services"
    marks = (b'"project_info"',)

    def describe(self, document: Json) -> Json:
        """Tell the project and the packages."""
        project = _object(document.get("project_info"))
        clients = document.get("client")
        infos = [_object(_object(each).get("client_info")) for each in (clients if isinstance(clients, list) else ())]
        packages = [_text(_object(info.get("android_client_info")).get("package_name")) for info in infos]
        return {
            "project_id": _text(project.get("project_id")),
            "project_number": _text(project.get("project_number")),
            "packages": [package for package in packages if package],
        }


def _text(value: Any) -> str | None:
    """Return a text that is short enough to be a name; whatever else is in its place is not for showing."""
    return value if isinstance(value, str) and len(value) <= 255 and "PRIVATE KEY" not in value else None


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
