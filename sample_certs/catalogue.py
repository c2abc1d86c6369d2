"""What samples there are, what each holds, and what a reader is expected to say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sample_certs import recipes
from sample_certs.recipes import ANDROID_PASSWORD, EMPTY_PASSWORD, PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Sample:
    """One sample file.

    `about` is a few words for people. `password` opens the file; None: it needs none, or nobody tells it.
    `expires_in` counts from the time of making; None: nothing expires, or it cannot be read.
    `reason` is the code with which the file is unreadable even with its password; None: it can be read.
    `demo`: the demo vault starts with it.
    """

    name: str
    about: str
    password: str | None
    expires_in: timedelta | None
    reason: str | None
    demo: bool
    recipe: Callable[[datetime, datetime], bytes] = field(repr=False, compare=False)

    def contents(self, made: datetime) -> bytes:
        """Return the file's bytes as of `made`, a time in UTC with whole seconds."""
        return self.recipe(made, made + (self.expires_in or _days(365)))


def catalogue() -> tuple[Sample, ...]:
    """Return all samples: those that can be read, then those that cannot."""
    return (*_READABLE, *_UNREADABLE)


def _days(count: int) -> timedelta:
    # Half a day more, so that a list made in the hours after still says "6 days".
    return timedelta(days=count, hours=12)


def _good(
    name: str,
    about: str,
    recipe: Callable[[datetime, datetime], bytes],
    days: int | None = None,
    *,
    password: str | None = None,
    demo: bool = True,
) -> Sample:
    return Sample(name, about, password, None if days is None else _days(days), None, demo, recipe)


def _bad(
    name: str, about: str, recipe: Callable[[datetime, datetime], bytes], reason: str, *, demo: bool = False
) -> Sample:
    return Sample(name, about, None, None, reason, demo, recipe)


_READABLE = (
    _good("sample.cer", "Apple distribution certificate", recipes.apple_certificate, 20),
    _good(
        "sample.p12",
        "Apple distribution certificate and key, empty password",
        recipes.bundle_without_password,
        20,
        password=EMPTY_PASSWORD,
    ),
    _good("sample.mobileprovision", "Development profile for two devices", recipes.development_profile, 6),
    _good("app-store.mobileprovision", "App Store profile, no devices", recipes.store_profile, 80),
    _good("upload-keystore.jks", "Android upload key, JKS", recipes.java_keystore, 10_000, password=PASSWORD),
    _good("release.jks", "Two Android keys, PKCS#12 named .jks", recipes.pkcs12_keystore, 80, password=PASSWORD),
    _good("debug.keystore", "Android debug key", recipes.debug_keystore, 30 * 365, password=ANDROID_PASSWORD),
    _good("distribution.p12", "Developer ID certificate and key", recipes.modern_bundle, 4 * 365, password=PASSWORD),
    _good("development-expired.CER", "Apple development certificate", recipes.apple_certificate_of_developer, -30),
    _good("push-services.crt", "Push notification certificate, PEM", recipes.push_certificate, 6),
    _good("names.cer", "Certificate with commas and = in its names", recipes.awkward_certificate, 3 * 365),
    _good("AuthKey_SAMPLE0000.p8", "App Store Connect API key", recipes.store_connect_key),
    _good("chain.pem", "Server certificate with its issuers", recipes.pem_chain, 400, demo=False),
    _good("bundle.p7b", "The same chain as PKCS#7", recipes.certificate_bundle, 400, demo=False),
    _good(
        "legacy.p12",
        "Certificate and key, Triple-DES and SHA-1",
        recipes.legacy_bundle,
        365,
        password=PASSWORD,
        demo=False,
    ),
    _good(
        "client.bks",
        "Client key, Bouncy Castle keystore",
        recipes.bouncy_castle_keystore,
        2 * 365,
        password=PASSWORD,
        demo=False,
    ),
    _good("fastlane-match.p12", "Bare RSA key in PEM, named as fastlane does", recipes.bare_private_key, demo=False),
    _good("signing-request.csr", "Request for a certificate", recipes.signing_request, demo=False),
    _good("keystore.properties", "Gradle's passwords for upload-keystore.jks", recipes.gradle_properties, demo=False),
)

_UNREADABLE = (
    _bad(
        "forgotten.p12",
        "Certificate and key, nobody knows the password",
        recipes.forgotten_bundle,
        "password_missing",
        demo=True,
    ),
    _bad(
        "truncated.jks",
        "JKS without its last 20 bytes",
        recipes.truncated_keystore,
        "truncated",
        demo=True,
    ),
    _bad("rubbish.cer", "A web page named .cer", recipes.rubbish, "unrecognized", demo=True),
    _bad("match-encrypted.cer", "Certificate encrypted by match", recipes.match_encrypted, "encrypted_elsewhere"),
    _bad("iteration-bomb.p12", "Claims 2^31-1 iterations", recipes.iteration_bomb, "work_factor_too_high"),
    _bad("billion-laughs.mobileprovision", "Entities that expand to 3 GB", recipes.entity_bomb, "malformed"),
)
