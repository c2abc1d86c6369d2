"""Templates to answers, with the headers that let a browser run nothing but our own script."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from aiohttp import web
from jinja2 import ChoiceLoader, PackageLoader

from server.app_keys import OFFLOAD, PRINCIPAL, SERVICES
from server.reports.templating import day, environment
from server.web.static_files import versioned
from vault.expiry import report
from vault.models import Role
from vault.secure_files import present

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

    from vault.expiry import Expiry
    from vault.models import Project, SecureFile

SESSION = web.RequestKey("session", str)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "private, no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# What is said on the page that a form leads to.
SAID = {
    "uploaded": "The file is in the vault.",
    "replaced": "The file is replaced; its id and name stay.",
    "deleted": "The file is deleted. Its key is erased: nobody can read it any more.",
    "read": "The file was read again.",
    "unread": "The file could not be read with that password.",
}


@cache
def templates() -> Environment:
    """Return the templates; whatever a file is called is text in them."""
    loader = ChoiceLoader([PackageLoader("server.web"), PackageLoader("server.reports")])
    found = environment(loader)
    found.filters.update(size=size, minute=minute, versioned=versioned)
    return found


def render(request: web.Request, template: str, status: int = 200, **values: Any) -> web.Response:
    """Answer with a page."""
    caller = request.get(PRINCIPAL)
    text = (
        templates()
        .get_template(template)
        .render(
            user=caller.user if caller else None,
            can_write=caller is not None and "api" in caller.scopes,
            form_token=form_token(request.get(SESSION, "")),
            said=SAID.get(request.query.get("done", ""), ""),
            now=datetime.now(UTC),
            **values,
        )
    )
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


async def in_project(
    request: web.Request, template: str, found: Project, status: int = 200, **values: Any
) -> web.Response:
    """Answer with a page of a project, with the parts of it that are open to who asks."""
    role = await request.app[OFFLOAD].read(request.app[SERVICES].access.role, request[PRINCIPAL], found)
    develops, maintains = role >= Role.DEVELOPER, role >= Role.MAINTAINER
    return render(request, template, status, project=found, develops=develops, maintains=maintains, **values)


def problem(
    request: web.Request, status: int, text: str, headers: Mapping[str, str] = MappingProxyType({})
) -> web.Response:
    """Answer with a page that says what went wrong."""
    answer = render(request, "problem.html", status, code=status, text=text)
    answer.headers.update(headers)
    return answer


def see_other(place: str) -> web.Response:
    """Send the browser to another page of this vault, by GET."""
    return web.Response(status=303, headers={**HEADERS, "Location": place})


def form_token(session: str) -> str:
    """Return what every form of a session holds and no other site can know."""
    return hmac.new(session.encode(), b"form", hashlib.sha256).hexdigest() if session else ""


def expiry_of(file: SecureFile) -> Expiry | None:
    """Return when a file expires in the report's form, None when it does not."""
    if file.expires_at is None:
        return None
    row = {"project_id": file.project_id, "project": "", "id": file.id, "name": file.name, "kind": file.kind}
    return report([{**row, "expires_at": file.expires_at}], datetime.now(UTC))[0]


class Told(dict[str, Any]):
    """An object of a file's metadata: what it does not tell is None."""

    def __missing__(self, _: str) -> None:
        return None


def document_of(file: SecureFile) -> dict[str, Any]:
    """Return what the API tells of a file."""
    found: dict[str, Any] = json.loads(present(file), object_hook=Told)
    return found


def issuer_of(file: SecureFile) -> str:
    """Return who issued a file's certificate, in one name."""
    metadata = document_of(file).get("metadata") or {}
    issuer = metadata.get("issuer") or {}
    return str(issuer.get("CN") or issuer.get("O") or metadata.get("team_name") or "")


def size(count: int) -> str:
    """Return a number of bytes as a person reads it."""
    number = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return (f"{count} byte" if count == 1 else f"{count} bytes") if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError("unreachable")


def minute(time: str) -> str:
    """Return the day and the minute of a catalog time."""
    return f"{day(time)}, {time[11:16]}"
