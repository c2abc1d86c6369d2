"""Who the samples belong to: a look-alike of Apple's authorities, an Android team, a gateway.

`made` is when the samples are made, `until` when the certificate asked for ends. The names of Apple's certificates
are those of the example in GitLab's documentation of secure files, with "Sample" before the company's name.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509

from sample_certs.issuing import Identity, attribute, issue, name
from sample_certs.keys import ec_key, rsa_key

TEAM_ID = "ABC123XYZ"
TEAM_NAME = "Organization Name"

_APPLE = "Sample Apple Inc."
_TEN_YEARS = timedelta(days=3650)


def apple_developer_relations(made: datetime) -> Identity:
    """Return the authority under which Apple issues certificates to developers."""
    above = name(("C", "US"), ("O", _APPLE), ("OU", "Apple Certification Authority"), ("CN", "Sample Apple Root CA"))
    root = issue(above, ec_key("Apple root"), made, made + 2 * _TEN_YEARS, authority=True)
    common_name = "Apple Worldwide Developer Relations Certification Authority"
    subject = name(("C", "US"), ("O", _APPLE), ("OU", "G3"), ("CN", common_name))
    key = rsa_key("Apple developer relations")
    return issue(subject, key, made, made + _TEN_YEARS, issuer=root, authority=True)


def apple_distribution(made: datetime, until: datetime) -> Identity:
    """Return the certificate that the documentation of GitLab's API shows, serial included."""
    return _apple("Apple Distribution", made, until, serial=75949910542696343243264405377658443914)


def apple_development(made: datetime, until: datetime) -> Identity:
    """Return a developer's own certificate, with the serial that GitLab's sample profile names."""
    return _apple("Apple Development", made, until, serial=23380136242930206312716563638445789376)


def developer_id(made: datetime, until: datetime) -> Identity:
    """Return a certificate for applications outside the store."""
    return _apple("Developer ID Application", made, until)


def push_services(made: datetime, until: datetime) -> Identity:
    """Return the certificate of a server that sends push notifications to an application."""
    bundle_id = "com.example.ios-demo"
    names = (("UID", bundle_id), ("CN", f"Apple Push Services: {bundle_id}"), ("OU", TEAM_ID), ("C", "US"))
    return issue(name(*names), ec_key("push services"), made, until, issuer=apple_developer_relations(made))


def profile_signer(made: datetime) -> Identity:
    """Return who signs provisioning profiles."""
    subject = name(("C", "US"), ("O", _APPLE), ("CN", "Apple iPhone OS Provisioning Profile Signing"))
    issuer = apple_developer_relations(made)
    return issue(subject, rsa_key("profile signing"), made, made + _TEN_YEARS, issuer=issuer)


def android_upload(made: datetime, until: datetime) -> Identity:
    """Return the self-signed certificate with which a team uploads to an application store."""
    subject = name(("C", "US"), ("O", TEAM_NAME), ("OU", "Mobile"), ("CN", "Sample Upload Key"))
    return issue(subject, rsa_key("Android upload"), made, until)


def android_debug(made: datetime, until: datetime) -> Identity:
    """Return what the Android tools make for themselves."""
    subject = name(("C", "US"), ("O", "Android"), ("CN", "Android Debug"))
    return issue(subject, ec_key("Android debug"), made, until)


def application(common_name: str, made: datetime, until: datetime) -> Identity:
    """Return a plain self-signed certificate of the team."""
    subject = name(("C", "US"), ("O", TEAM_NAME), ("CN", common_name))
    return issue(subject, ec_key(common_name), made, until)


def gateway(made: datetime, until: datetime) -> Identity:
    """Return the certificate of a server, under an intermediate and a root authority."""
    root_name, issuing_name = (name(("O", "Sample Trust"), ("CN", f"Sample {role} CA")) for role in ("Root", "Issuing"))
    root = issue(root_name, ec_key("trust root"), made, made + 2 * _TEN_YEARS, authority=True)
    issuing = issue(issuing_name, ec_key("trust issuing"), made, made + _TEN_YEARS, issuer=root, authority=True)
    return issue(name(("CN", "gateway.example.com")), ec_key("gateway"), made, until, issuer=issuing)


def awkward_name(made: datetime, until: datetime) -> Identity:
    """Return a certificate whose names hold what naive readers split at, and repeat an attribute."""
    single = [
        attribute("C", "DE"),
        attribute("O", "Bücher, Müller & Söhne = Sample, Inc."),
        attribute("OU", "First, Unit"),
        attribute("OU", "Second=Unit"),
    ]
    pair = [attribute("CN", 'Release "a+b"; <c>=#1'), attribute("UID", "team=7,8")]
    subject = x509.Name(
        [*(x509.RelativeDistinguishedName([one]) for one in single), x509.RelativeDistinguishedName(pair)]
    )
    return issue(subject, ec_key("awkward name"), made, until)


def _apple(use: str, made: datetime, until: datetime, serial: int | None = None) -> Identity:
    common_name = f"{use}: {TEAM_NAME} ({TEAM_ID})"
    subject = name(("UID", TEAM_ID), ("CN", common_name), ("OU", TEAM_ID), ("O", TEAM_NAME), ("C", "US"))
    issuer = apple_developer_relations(made)
    return issue(subject, rsa_key("Apple developer"), made, until, issuer=issuer, serial=serial)
