"""`secure-files token create`: a token for somebody, made on the machine that holds the data."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING

from cli import options as shared
from cli.ownership import operator

if TYPE_CHECKING:
    from vault.models import User
    from vault.people import People

EPILOG = """\
The token is the only thing on stdout, and is not shown again.

EXAMPLES
  secure-files token create --user root --name laptop
  secure-files token create --user ci --name nightly --scopes read_api --expires-at 2027-01-31

EXIT STATUS
  0 made; 2 an option is wrong; 3 the keyring is missing; 5 no such vault or user
"""


def day(text: str) -> date:
    """Read a date such as 2027-01-31."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2027-01-31") from None


def register(sub: argparse.ArgumentParser) -> None:
    """Declare the options."""
    sub.epilog = EPILOG
    sub.add_argument("action", choices=("create",), help="what to do")
    sub.add_argument("--user", default="root", help="username it stands for (default root)")
    sub.add_argument("--name", default="command line", help="what it is called in lists")
    sub.add_argument("--scopes", default="api", help="comma-separated: api, read_api, read_user, read_repository, ...")
    sub.add_argument("--expires-at", type=day, metavar="DATE", help="it is refused from this day on, in UTC")
    shared.add_settings(sub)


def run(options: argparse.Namespace) -> int:
    """Make the token and print it."""
    from server.wiring import open_services

    scopes = [scope.strip() for scope in options.scopes.split(",") if scope.strip()]
    services = open_services(shared.load(options))
    try:
        user = _user(services.people, options.user)
        services.audit.check()
        token, secret = services.tokens.create(user, options.name, scopes, options.expires_at)
        services.audit.note("token.create", f"/users/{user.id}/personal_access_tokens/{token.id}", actor=operator())
    finally:
        services.close()
    print(secret)
    return 0


def _user(people: People, username: str) -> User:
    from vault.errors import Unavailable
    from vault.models import Page

    # An empty name, such as a variable that is not set, would find everybody.
    found = people.find(Page(), username=username).rows if username else []
    if not found:
        raise Unavailable(f"there is no user called {username!r}; an administrator makes one by POST /api/v4/users")
    return found[0]
