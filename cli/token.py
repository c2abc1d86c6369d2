"""`secure-files token create`: a token for somebody, made on the machine that holds the data."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from cli import options as shared

if TYPE_CHECKING:
    import argparse

EPILOG = """\
The token is the only thing on stdout, and is not shown again.

EXAMPLES
  secure-files token create --user root --name laptop
  secure-files token create --user ci --name nightly --scopes read_api --expires-at 2027-01-31

EXIT STATUS
  0 made; 2 an option is wrong; 3 the keyring is missing; 5 no such vault or user
"""


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("action", choices=("create",), help="what to do")
    sub.add_argument("--user", default="root", help="username it stands for (default root)")
    sub.add_argument("--name", default="command line", help="what it is called in lists")
    sub.add_argument("--scopes", default="api", help="comma-separated: api, read_api, read_user, read_repository, ...")
    sub.add_argument(
        "--expires-at", type=date.fromisoformat, default=None, metavar="DATE", help="last day is before it"
    )
    shared.add_settings(sub)


def run(options: argparse.Namespace) -> int:
    """Make the token and print it."""
    from server.wiring import open_services
    from vault.errors import NotFound, Unavailable
    from vault.models import Page

    services = open_services(shared.load(options))
    try:
        users = services.people.find(Page(), username=options.user).rows
        if not users:
            raise Unavailable(f"there is no user called {options.user}")
        scopes = [scope.strip() for scope in options.scopes.split(",") if scope.strip()]
        _, secret = services.tokens.create(users[0], options.name, scopes, options.expires_at)
    except NotFound as error:
        raise Unavailable(str(error)) from error
    finally:
        services.close()
    print(secret)
    return 0
