"""What is found in a project's signing files as one set."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from vault.doctor import SEVERITIES, UNREADABLE, Finding, examine

NOW = datetime(2030, 1, 31, tzinfo=UTC)
PAST, SOON, LATER = "2030-01-30T00:00:00.000Z", "2030-02-20T00:00:00.000Z", "2040-01-01T00:00:00.000Z"
numbers = count(1)


def document(name: str, metadata: dict[str, Any] | None, error: str | None = None) -> dict[str, Any]:
    """Return what the API tells of a file."""
    kind = (metadata or {}).get("kind")
    expires_at = (metadata or {}).get("expires_at")
    return {
        "id": next(numbers),
        "name": name,
        "kind": kind,
        "expires_at": expires_at,
        "metadata": metadata,
        "metadata_error": error,
    }


def certificate(of: str, name: str = "x.cer", until: str | None = LATER, **more: Any) -> dict[str, Any]:
    """Return a certificate, its fingerprint and that of its key being made of `of`."""
    told = {"sha256": f"cert {of}", "public_key_sha256": f"key {of}", "subject_dn": f"CN={of}", "issuer_dn": "CN=CA"}
    return document(name, {"kind": "certificate", "expires_at": until, **told, **more})


def keystore(*keys: str, name: str = "x.p12", until: str = LATER, **more: Any) -> dict[str, Any]:
    """Return a PKCS#12 with these keys."""
    entries = [
        {"alias": key, "kind": "private_key", "sha256": f"cert {key}", "expires_at": until, "subject": {"CN": key}}
        for key in keys
    ]
    return document(
        name,
        {
            "kind": "pkcs12",
            "expires_at": until,
            "sha256": f"cert {keys[0]}",
            "public_key_sha256": f"key {keys[0]}",
            "subject_dn": f"CN={keys[0]}",
            "entries": entries,
            "public_keys_sha256": [f"key {key}" for key in keys],
            **more,
        },
    )


def bare_key(of: str) -> dict[str, Any]:
    return document("x.key", {"kind": "private_key", "encrypted": False, "public_key_sha256": f"key {of}"})


def profile(*certificates: str, until: str = LATER, first: str = LATER) -> dict[str, Any]:
    """Return a profile that names these certificates, of which the first to expire does so at `first`."""
    told = {"certificate_sha256": [f"cert {each}" for each in certificates], "certificates_expire_at": first}
    return document("x.mobileprovision", {"kind": "mobileprovision", "expires_at": until, **told})


def locked() -> dict[str, Any]:
    return document("locked.p12", None, "password_missing")


def found(*documents: dict[str, Any]) -> list[Finding]:
    return examine(documents, NOW)


def told(*documents: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the findings' codes and severities, of the set without what is said of unreadable files."""
    return [(each.code, each.severity) for each in found(*documents) if each.code != "unreadable"]


class TestAHealthySet:
    def test_says_nothing(self) -> None:
        """A profile, its certificate, the key of that, and a key and a request beside."""
        request = document("x.csr", {"kind": "certificate_request", "subject_dn": "CN=a", "public_key_sha256": "key z"})
        service = document("x.json", {"kind": "service_account", "client_email": "a@b"})

        assert found(profile("a"), certificate("a"), bare_key("a"), keystore("b"), request, service) == []

    def test_of_no_files_says_nothing(self) -> None:
        assert found() == []


class TestDates:
    def test_what_has_expired_is_an_error(self) -> None:
        file = keystore("a", until=PAST)

        assert found(file) == [
            Finding(
                "expired",
                "error",
                "It expired on 2030-01-30.",
                found(file)[0].files,
                "Renew it and replace it, or delete it.",
                PAST,
            )
        ]
        assert (found(file)[0].files[0].id, found(file)[0].files[0].name) == (file["id"], "x.p12")

    @pytest.mark.parametrize(
        ("until", "text"),
        [
            ("2030-01-31T10:00:00.000Z", "within a day"),
            ("2030-02-01T00:00:00.000Z", "in 1 day."),
            ("2030-03-02T00:00:00.000Z", "in 30 days."),
        ],
    )
    def test_what_expires_in_thirty_days_is_a_warning(self, until: str, text: str) -> None:
        (finding,) = found(keystore("a", until=until))

        assert (finding.code, finding.severity) == ("expiring", "warning")
        assert text in finding.what

    def test_what_expires_later_is_nothing(self) -> None:
        assert found(keystore("a", until="2030-03-02T00:00:00.001Z")) == []

    def test_at_its_very_moment_it_has_expired(self) -> None:
        assert told(keystore("a", until="2030-01-31T00:00:00.000Z")) == [("expired", "error")]


class TestProfiles:
    def test_one_whose_certificates_are_not_here_is_an_error(self) -> None:
        assert told(profile("a", "b"), keystore("c")) == [("profile_certificate_missing", "error")]

    def test_one_of_its_certificates_is_enough(self) -> None:
        assert told(profile("a", "b"), keystore("b")) == []

    def test_the_certificate_may_lie_deep_in_a_keystore(self) -> None:
        assert told(profile("c"), keystore("a", "b", "c")) == []

    def test_a_file_that_could_not_be_read_may_hold_it(self) -> None:
        """Then it is a warning, and says so."""
        finding = next(each for each in found(profile("a"), locked()) if each.code == "profile_certificate_missing")

        assert finding.severity == "warning"
        assert "1 file that could not be read may hold it" in finding.what

    def test_an_expired_certificate_is_an_error_though_the_profile_is_good(self) -> None:
        file, holder = profile("a", first=PAST), keystore("a", until=PAST)

        finding = next(each for each in found(file, holder) if each.code == "profile_certificate_expired")

        assert finding.severity == "error"
        assert [place.id for place in finding.files] == [file["id"], holder["id"]]

    def test_beside_one_that_is_valid_and_here_it_is_a_warning(self) -> None:
        assert ("profile_certificate_expired", "warning") in told(
            profile("a", "b", first=PAST), keystore("a", until=PAST), keystore("b")
        )

    def test_an_expired_one_that_is_not_here_is_missing_too(self) -> None:
        assert told(profile("a", first=PAST)) == [
            ("profile_certificate_expired", "error"),
            ("profile_certificate_missing", "error"),
        ]

    def test_of_several_that_are_not_here_the_others_may_be_valid(self) -> None:
        assert ("profile_certificate_expired", "warning") in told(profile("a", "b", first=PAST))

    def test_one_that_names_none_is_left_alone(self) -> None:
        assert told(document("x.mobileprovision", {"kind": "mobileprovision", "expires_at": LATER})) == []


class TestPrivateKeys:
    def test_a_certificate_whose_key_is_nowhere_is_a_warning(self) -> None:
        assert told(certificate("a"), keystore("b")) == [("private_key_missing", "warning")]

    @pytest.mark.parametrize(
        "holder", [keystore("b", "a"), bare_key("a"), certificate("a", public_keys_sha256=["key a"])]
    )
    def test_the_key_may_lie_in_a_keystore_alone_or_beside_it(self, holder: dict[str, Any]) -> None:
        assert told(certificate("a"), holder) == []

    def test_a_renewed_certificate_goes_with_the_old_ones_key(self) -> None:
        renewed = certificate("a")
        renewed["metadata"]["sha256"] = "another"

        assert told(renewed, keystore("a")) == []

    def test_a_pkcs12_without_its_key_is_a_warning(self) -> None:
        alone = keystore("a", public_keys_sha256=[], entries=[{"alias": "1", "kind": "trusted_certificate"}])

        assert told(alone) == [("private_key_missing", "warning")]
        assert told(alone, bare_key("a")) == []

    @pytest.mark.parametrize("name", ["trust.jks", "cacerts", "x.keystore"])
    def test_a_trust_store_has_none(self, name: str) -> None:
        assert told(keystore("a", name=name, public_keys_sha256=[], entries=[])) == []

    def test_several_copies_of_the_certificate_are_one_finding(self) -> None:
        (finding,) = found(certificate("a", "1.cer"), certificate("a", "2.pem"))

        assert [place.name for place in finding.files] == ["1.cer", "2.pem"]

    @pytest.mark.parametrize(
        "hiding",
        [
            locked(),
            document("x.p8", {"kind": "private_key", "encrypted": True}),
            keystore("b", entries_truncated=True),
            keystore("b", entries=[{"alias": "1", "kind": "private_key"}]),
        ],
    )
    def test_a_file_that_hides_keys_may_hold_it(self, hiding: dict[str, Any]) -> None:
        """Locked, encrypted, too long to be listed, or with a key that no certificate tells of: then it is a note."""
        assert told(certificate("a"), hiding) == [("private_key_missing", "note")]

    @pytest.mark.parametrize("error", ["truncated", "malformed", "unrecognized"])
    def test_a_damaged_file_hides_nothing(self, error: str) -> None:
        assert told(certificate("a"), document("x.p12", None, error)) == [("private_key_missing", "warning")]


class TestIssuers:
    def test_who_says_to_be_one_needs_no_key(self) -> None:
        assert told(certificate("root", is_ca=True)) == []

    def test_who_issued_another_file_needs_no_key(self) -> None:
        assert told(certificate("CA"), certificate("a"), keystore("a", name="y.p12")) == []

    def test_two_copies_of_one_that_issued_itself_are_not_each_others_issuer(self) -> None:
        """Such as an upload certificate that was exported from its keystore."""
        copies = [certificate("a", name, issuer_dn="CN=a") for name in ("1.pem", "2.pem")]

        assert told(*copies) == [("private_key_missing", "warning")]

    def test_what_has_no_name_issued_nothing(self) -> None:
        assert told(certificate("a", subject_dn=None, issuer_dn=None), document("x", {})) == [
            ("private_key_missing", "warning")
        ]


class TestSameKey:
    def test_in_two_files_is_a_warning(self) -> None:
        first, second = keystore("a"), bare_key("a")

        (finding,) = found(first, second)

        assert (finding.code, finding.severity) == ("same_key", "warning")
        assert [place.id for place in finding.files] == [first["id"], second["id"]]

    def test_files_tied_by_several_keys_are_one_finding(self) -> None:
        (finding,) = found(keystore("a"), keystore("b"), keystore("c"), keystore("a", "b"))

        assert len(finding.files) == 3

    def test_a_certificate_is_no_key(self) -> None:
        assert told(keystore("a"), certificate("a")) == []


class TestDebugKeystores:
    @pytest.mark.parametrize(
        "key", [{"alias": "AndroidDebugKey", "subject": {}}, {"alias": "x", "subject": {"CN": "Android Debug"}}]
    )
    def test_beside_release_keys_is_a_warning(self, key: dict[str, Any]) -> None:
        """By its alias or by its name."""
        debug = keystore("d", entries=[{"kind": "private_key", "sha256": "x", **key}])

        (finding,) = found(debug, keystore("a"))

        assert (finding.code, finding.severity) == ("debug_keystore", "warning")
        assert [place.id for place in finding.files] == [debug["id"]]

    def test_in_one_store_with_a_release_key_is_one_too(self) -> None:
        assert told(keystore("androiddebugkey", "release")) == [("debug_keystore", "warning")]

    def test_alone_is_nothing(self) -> None:
        assert told(keystore("androiddebugkey"), certificate("a"), bare_key("a")) == []


class TestUnreadableFiles:
    @pytest.mark.parametrize(
        ("error", "severity"), [("truncated", "error"), ("password_missing", "warning"), ("queued", "note")]
    )
    def test_are_told_with_their_reason(self, error: str, severity: str) -> None:
        (finding,) = found(document("x.p12", None, error))

        assert (finding.code, finding.severity) == ("unreadable", severity)
        assert f"({error})" in finding.what

    def test_what_is_no_signing_file_at_all_is_a_note(self) -> None:
        (finding,) = found(document("notes.txt", None, "unrecognized"))

        assert finding.severity == "note"

    @pytest.mark.parametrize("name", ["a.cer", "certs/dist/a.CER", "a.jks", "a.mobileprovision"])
    def test_what_is_called_like_one_and_is_none_is_a_warning(self, name: str) -> None:
        (finding,) = found(document(name, None, "unrecognized"))

        assert finding.severity == "warning"

    def test_a_plugins_own_reason_is_told_too(self) -> None:
        (finding,) = found(document("x", None, "licence_void"))

        assert "licence_void" in finding.what

    def test_every_reason_that_is_documented_has_its_advice(self) -> None:
        text = (Path(__file__).parents[2] / "docs" / "parsers.md").read_text("utf-8").partition("## Reasons")[2]

        assert set(UNREADABLE) == set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))


class TestOrder:
    def test_is_by_severity_then_by_date(self) -> None:
        files = [
            document("x", None, "queued"),
            keystore("a", until=SOON),
            keystore("b", until="2029-01-01T00:00:00.000Z"),
            keystore("c", until="2028-01-01T00:00:00.000Z"),
        ]

        assert [(each.severity, (each.expires_at or "")[:4]) for each in found(*files)] == [
            ("error", "2028"),
            ("error", "2029"),
            ("warning", "2030"),
            ("note", ""),
        ]
        assert SEVERITIES == ("error", "warning", "note")


class TestForeignMetadata:
    """A parser from outside may use our words for other things."""

    @pytest.mark.parametrize("odd", [5, "text", ["x", 5, None, {}], {"a": 1}, None, True])
    def test_of_other_types_is_passed_over(self, odd: Any) -> None:
        keys = ("sha256", "public_key_sha256", "public_keys_sha256", "subject_dn", "issuer_dn", "is_ca", "entries",
                "certificate_sha256", "certificates_expire_at", "entries_truncated", "encrypted", "kind")  # fmt: skip

        found(document("x", dict.fromkeys(keys, odd)), document("x", {"entries": [dict.fromkeys(keys, odd)]}))

    def test_may_be_a_list_of_anything(self) -> None:
        entries = [{"kind": "private_key", "alias": 5, "subject": 5, "sha256": 5}]

        found(keystore("a", entries=entries, public_keys_sha256=[5, "x"]))


class TestLargeSets:
    def test_what_is_found_stays_small(self) -> None:
        """A hundred keystores of five hundred keys, each key in another file too, and names as long as they may be."""
        files = [keystore(*(f"{n // 2}-{key}" for key in range(500)), name="\u00e9" * 255) for n in range(100)]

        findings = found(*files, *(profile("x", until=PAST, first=PAST) for _ in range(100)))

        assert len([each for each in findings if each.code == "same_key"]) == 50
        assert len(json.dumps([asdict(each) for each in findings])) < 1_000_000

    def test_a_certificate_that_expired_in_many_files_is_told_with_a_few(self) -> None:
        """Of those that hold it; each of them has a finding of its own."""
        holders = [keystore("a", name="\U0001f511" * 255, until=PAST) for _ in range(50)]

        findings = found(*holders, *(profile("a", first=PAST) for _ in range(50)))

        assert len([each for each in findings if each.code == "profile_certificate_expired"]) == 50
        assert len(json.dumps([asdict(each) for each in findings], ensure_ascii=False).encode()) < 1_500_000
