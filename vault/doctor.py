"""Examines a project's signing files as one set: what has expired, what is missing, what should not lie together.

It works from what was read when the files came. Nothing is opened, and no password is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from vault import clock
from vault.expiry import SOON, moment
from vault.signing_set import SigningFile, signing_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

ERROR, WARNING, NOTE = SEVERITIES = ("error", "warning", "note")
FEW = 10
"""Files that a finding names beside its own, which have findings of their own."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file that a finding is about."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know of a signing set.

    `severity` is `error` (signing fails, now or without a new file), `warning` (it may, or a key is not where it
    should be) or `note`. `what` and `what_to_do` are a sentence or two each. `expires_at` is the date it is about.
    """

    code: str
    severity: str
    what: str
    files: tuple[Place, ...]
    what_to_do: str
    expires_at: str | None = None


class Advice(NamedTuple):
    """What is said of files with one reason code."""

    severity: str
    what: str
    what_to_do: str


_EASIER = "Export it again with less work for its password, or with fewer entries."
UNREADABLE = {
    "truncated": Advice(ERROR, "It was cut short.", "Upload it again and compare the checksums."),
    "malformed": Advice(ERROR, "It is damaged.", "Export it again and replace it."),
    "password_missing": Advice(WARNING, "It needs a password to be read.", "Have it read again with its password."),
    "password_wrong": Advice(
        WARNING, "The password given does not fit, or it is damaged.", "Have it read again with its password."
    ),
    "work_factor_too_high": Advice(WARNING, "Its password takes too much work to try.", _EASIER),
    "timeout": Advice(WARNING, "It takes too long to read.", _EASIER),
    "too_large": Advice(WARNING, "It is too large to be read.", "Check that it is the right file."),
    "unsupported": Advice(WARNING, "Its format cannot be read.", "Convert it, for example with keytool."),
    "unrecognized": Advice(NOTE, "It is no known kind of signing file.", "Check that it is the right file."),
    "encrypted_elsewhere": Advice(
        NOTE, "It was encrypted by fastlane match.", "Watch its expiry elsewhere: it cannot be told here."
    ),
    "queued": Advice(NOTE, "It has not been read yet.", "Wait: it is read soon."),
}
_OTHER_REASON = Advice(WARNING, "It could not be read.", "Look up the reason at the parser that gave it.")
# Whose name promises a certificate, a keystore or a profile and who is none.
_PROMISING = {".cer", ".crt", ".der", ".p12", ".pfx", ".p7b", ".jks", ".keystore", ".bks"}
_PROMISING |= {".mobileprovision", ".provisionprofile"}


def examine(documents: Iterable[Mapping[str, Any]], now: datetime) -> list[Finding]:
    """Return the findings on one project's files, the most severe first, then the soonest.

    `documents` are what the API tells of each file, with its `kind`.
    """
    files = [signing_file(document) for document in documents]
    checks = (_dates, _unreadable, _profiles, _keyless, _shared_keys, _debug_keystores)
    found = [finding for check in checks for finding in check(files, now)]
    return sorted(found, key=_rank)


def _rank(finding: Finding) -> tuple[int, str, str, int]:
    date = finding.expires_at or "9999-12-31"
    return SEVERITIES.index(finding.severity), date, finding.code, finding.files[0].id


def _dates(files: Sequence[SigningFile], now: datetime) -> Iterator[Finding]:
    for file in files:
        if file.expires_at is None:
            continue
        date, left = file.expires_at[:10], moment(file.expires_at) - now
        if left <= timedelta(0):
            text, advice = f"It expired on {date}.", "Renew it and replace it, or delete it."
            yield Finding("expired", ERROR, text, _places(file), advice, file.expires_at)
        elif left <= SOON:
            text, advice = f"It expires on {date}, {_in_days(left.days)}.", "Renew it and replace it before then."
            yield Finding("expiring", WARNING, text, _places(file), advice, file.expires_at)


def _in_days(days: int) -> str:
    return "within a day" if days < 1 else f"in {days} day{'s' if days > 1 else ''}"


def _unreadable(files: Sequence[SigningFile], _now: datetime) -> Iterator[Finding]:
    for file in files:
        if file.error is None:
            continue
        severity, what, what_to_do = UNREADABLE.get(file.error, _OTHER_REASON)
        if file.error == "unrecognized" and _suffix(file) in _PROMISING:
            severity = WARNING
        yield Finding("unreadable", severity, f"{what[:-1]} ({file.error}).", _places(file), what_to_do)


def _profiles(files: Sequence[SigningFile], now: datetime) -> Iterator[Finding]:
    """Look for the certificates that profiles name: one of them has to be here, and be valid."""
    here = {sha256: until for file in files for sha256, until in file.certificates.items()}
    moment_now = clock.stamp(now)
    for file in files:
        held = file.named & set(here)
        if file.named and not held:
            yield _missing_certificate(file, files)
        if file.named_until is not None and file.named_until <= moment_now:
            expired = {sha256 for sha256 in held if (here[sha256] or "9999") <= moment_now}
            holders = [other for other in files if expired & set(other.certificates)]
            # Of several certificates that are not here, others than the first may be valid still.
            still_signs = bool(held - expired) if held else len(file.named) > 1
            yield _expired_certificate(file, holders, still_signs=still_signs)


def _missing_certificate(profile: SigningFile, files: Sequence[SigningFile]) -> Finding:
    severity, doubt = _doubted(ERROR, files)
    return Finding(
        "profile_certificate_missing",
        severity,
        f"No file here holds a certificate that this profile names.{doubt}",
        _places(profile),
        "Upload such a certificate with its private key, or make the profile anew for one that is here.",
    )


def _expired_certificate(profile: SigningFile, holders: Sequence[SigningFile], *, still_signs: bool) -> Finding:
    return Finding(
        "profile_certificate_expired",
        WARNING if still_signs else ERROR,
        "A certificate that this profile names has expired.",
        _places(profile, *holders[:FEW]),
        "Make the profile anew for a certificate that is valid.",
        profile.named_until,
    )


def _keyless(files: Sequence[SigningFile], _now: datetime) -> Iterator[Finding]:
    """Look for certificates whose private key is nowhere, except those that only issue others."""
    keys = {key for file in files for key in file.keys}
    severity, doubt = _doubted(WARNING, files)
    lonely = defaultdict(list)
    for file in files:
        if file.public_key not in keys and _should_have_a_key(file, files):
            lonely[file.public_key].append(file)
    for together in lonely.values():
        text = f"The private key of this certificate is in no file here.{doubt}"
        advice = "Upload the key, or both exported together; delete the certificate if nothing signs with it."
        yield Finding("private_key_missing", severity, text, _places(*together), advice)


def _should_have_a_key(file: SigningFile, files: Sequence[SigningFile]) -> bool:
    if file.kind not in ("certificate", "pkcs7", "pkcs12") or file.public_key is None or file.is_ca:
        return False
    if file.kind == "pkcs12" and _suffix(file) not in (".p12", ".pfx"):
        return False  # a trust store: such files have no keys
    others = [other for other in files if other.certificate != file.certificate]
    return not file.subject or all(other.issuer != file.subject for other in others)


def _shared_keys(files: Sequence[SigningFile], _now: datetime) -> Iterator[Finding]:
    """Look for keys that lie in several files. Files that any keys tie together are one finding."""
    groups: list[tuple[set[str], list[SigningFile]]] = []
    for file in files:
        keys, together = set(file.keys), [file]
        apart = []
        for other_keys, others in groups:
            if keys & other_keys:
                keys, together = keys | other_keys, [*others, *together]
            else:
                apart.append((other_keys, others))
        groups = [*apart, (keys, together)]
    for _, together in groups:
        if len(together) > 1:
            text = f"The same private key lies in {len(together)} files."
            advice = "Keep one of them, so that no copy is forgotten when the key is replaced."
            yield Finding("same_key", WARNING, text, _places(*together), advice)


def _debug_keystores(files: Sequence[SigningFile], _now: datetime) -> Iterator[Finding]:
    if not any(file.has_release_key for file in files):
        return
    for file in files:
        if file.has_debug_key:
            text = "It holds Android's debug key, and the project holds release keys as well."
            advice = "Remove it, so that no release is signed with a key whose password everybody knows."
            yield Finding("debug_keystore", WARNING, text, _places(file), advice)


def _doubted(severity: str, files: Sequence[SigningFile]) -> tuple[str, str]:
    """Return how severe it is that something is not to be found, and a sentence on files that may hide it."""
    count = sum(file.unseen for file in files)
    if not count:
        return severity, ""
    lesser = SEVERITIES[SEVERITIES.index(severity) + 1]
    return lesser, f" {count} file{'s' if count > 1 else ''} that could not be read may hold it."


def _suffix(file: SigningFile) -> str:
    return PurePosixPath(file.name).suffix.lower()


def _places(*files: SigningFile) -> tuple[Place, ...]:
    return tuple(Place(file.id, file.name) for file in files)
