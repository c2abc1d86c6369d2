"""`secure-files serve`: runs the server; the first start makes the vault."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cli import options as shared
from cli.main import guarded, say
from vault.errors import Conflict

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from server.settings import Settings
    from server.wiring import Services

EPILOG = """\
The first start makes the data folder, the master key and an administrator called root, whose token is printed once to
stderr (or is the one in SECURE_FILES_ROOT_TOKEN). Back the keyring up, apart from the data: without it nothing opens.

Every option is also a variable, SECURE_FILES_ and its name, and a line of the TOML file that --config names.
The server is ready when GET /-/readiness answers 200. SIGTERM ends it: running requests get some seconds. SIGHUP has
it read its certificate again. It refuses to speak plain HTTP on an address that others can reach, unless a trusted
proxy or --insecure-http says that this is meant.

EXAMPLES
  secure-files serve --data ./data
  SECURE_FILES_ROOT_TOKEN=... secure-files serve --data /srv/vault --external-url https://vault.example.com
  secure-files serve --host 0.0.0.0 --port 8443 --tls-certificate fullchain.pem --tls-key key.pem
  secure-files serve --host 10.0.0.5 --trusted-proxy 10.0.0.2

EXIT STATUS
  0 ended by a signal; 2 a setting is wrong; 3 the keyring is missing or another's; 4 the data folder is in use; 5 other
"""
FLAGS = (
    *("data", "host", "port", "workers", "database", "blobs", "external_url", "keyring", "recipients", "log"),
    *("tls_certificate", "tls_key", "trusted_proxy", "insecure_http"),
)


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    shared.add_settings(sub, FLAGS)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    from server.logs import configure
    from server.notify.recipients import read
    from server.process import serve
    from server.sockets import address, listen, refuse_open_address
    from server.wiring import close_folder
    from server.workers import Workers, apart
    from vault.lock import FolderLock

    settings = shared.load(options)
    if settings.recipients:
        read(Path(settings.recipients))  # a mistake in it is told now, not by a worker
    configure(settings.log)
    certificate = settings.certificate()
    if not settings.may_be_heard_in_clear():
        refuse_open_address(settings.host)
    close_folder(settings.data)
    with FolderLock(settings.data), listen(settings.host, settings.port) as socket:

        def ready() -> None:
            say(f"listening on {address(socket, tls=certificate is not None)}")

        if settings.workers > 1:
            if status := apart(lambda: guarded(lambda: prepare(settings))):
                return status
            Workers(settings, socket, certificate).run(ready)
            return 0
        return prepare(settings, lambda services: serve(services, settings, socket, ready, certificate=certificate))


def prepare(settings: Settings, then: Callable[[Services], None] = lambda _: None) -> int:
    """Open the vault, made if there is none, remove what a crash left, and hand it to `then`; return 0."""
    from server.wiring import open_services

    services = open_services(settings, create=True)
    try:
        welcome(services, settings)
        if settings.alone() and (swept := services.storage.sweep()):
            say(f"removed {swept} unfinished object{'s' if swept > 1 else ''} that a crash left; nothing is lost")
        if settings.alone():
            services.repositories.housekeeping.sweep()
        then(services)
    finally:
        services.close()
    return 0


def welcome(services: Services, settings: Settings) -> None:
    """At the first start, make the administrator and say what has to be kept safe.

    A start that was cut off between the two leaves an administrator without a token: then he is given one now.
    """
    user = services.people.administrator()
    if user is not None and services.tokens.of_user(user.id):
        return
    given = settings.root_token.strip() or None
    services.audit.check()
    try:
        if user is None:
            user = services.people.create("root", "Administrator", "admin@example.com", is_admin=True)
            services.audit.note("user.create", f"/users/{user.id}")
        token, secret = services.tokens.create(user, "first start", ("api",), None, given)
    except Conflict:  # another server of this vault does so at this very moment
        return
    services.audit.note("token.create", f"/users/{user.id}/personal_access_tokens/{token.id}")
    say(f"made a new vault in {settings.data.absolute()}")
    if given is None:
        say(f"the administrator's token, shown only now: {secret}")
    if services.keyring.removable(services.keyring.primary):
        say(f"back up the keyring, apart from the data: {settings.keyring_path().absolute()}")
        say("without it nothing in this vault can ever be opened")
