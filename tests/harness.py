"""A real vault on a free port, in a thread of the test process, and a plain client for it."""

from __future__ import annotations

import asyncio
import itertools
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import requests
from aiohttp import web

from server.app import make_app
from server.serving import Runner
from server.settings import Settings
from server.wiring import Services, open_services
from tests.conforming import problem
from tests.engines import ENGINES

if TYPE_CHECKING:
    from pathlib import Path

ROOT_TOKEN = "glpat-root-token-of-the-tests"
_numbers = itertools.count(1)


def unique(stem: str) -> str:
    """Return a name that no other call of this process returns."""
    return f"{stem}-{next(_numbers)}"


class Answer:
    """What came back: status, headers, bytes, and the JSON in them."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.body = response.content

    @property
    def json(self) -> Any:
        import json

        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<{self.status} {self.body[:300]!r}>"


class Client:
    """Speaks to one vault with one token (or none)."""

    def __init__(self, url: str, token: str | None, header: str = "PRIVATE-TOKEN", *, verify: bool = True) -> None:
        self.url = url
        self.token = token
        self._headers = {header: token} if token else {}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = verify

    def __call__(self, method: str, path: str, **kwargs: Any) -> Answer:
        """Send a request; but for those of git, of `/-/` and `/metrics`, paths lie under /api/v4."""
        headers = {**self._headers, **kwargs.pop("headers", {})}
        outside = path.startswith(("/-/", "/metrics")) or ".git/" in path or "/info/refs" in path
        prefix = "" if outside else "/api/v4"
        request = requests.Request(method, self.url + prefix, headers=headers, **kwargs)
        prepared = self._session.prepare_request(request)
        # requests would normalise dots and escapes: the path goes out as the test wrote it.
        _, mark, query = (prepared.url or "").partition("?")
        prepared.url = self.url + prefix + path + (("&" if "?" in path else "?") + query if mark else "")
        answer = Answer(self._session.send(prepared, timeout=60, allow_redirects=False))
        kind = answer.headers.get("Content-Type", "")
        wrong = problem(method, prefix + path, answer.status, kind, answer.body)
        assert wrong is None, f"{wrong} (CONTRIBUTING.md, Adding a route)"
        return answer

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> Answer:
        return self("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> Answer:
        return self("PUT", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Answer:
        return self("DELETE", path, **kwargs)

    def upload(self, project: int | str, name: str, content: bytes, **fields: str) -> Answer:
        """POST a secure file."""
        files = {"file": (name.rpartition("/")[2], content)}
        return self.post(f"/projects/{project}/secure_files", data={"name": name, **fields}, files=files)


class RunningVault:
    """A vault that serves while the block runs; its data stay for a later start in the same folder."""

    def __init__(self, data: Path, **settings: Any) -> None:
        base = Settings(data=data, port=0, root_token=ROOT_TOKEN, grace=2.0)
        self.settings = replace(base, **{**ENGINES.settings(data), **settings})
        self.services: Services
        self.url = ""
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="vault-under-test")

    def __enter__(self) -> Self:
        self.services = open_services(self.settings, create=True)
        if self.services.people.administrator() is None:
            user = self.services.people.create("root", "Administrator", "root@example.com", is_admin=True)
            self.services.tokens.create(user, "tests", ("api",), None, ROOT_TOKEN)
        self._thread.start()
        self._ready.wait(20)
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self.services.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            self._error = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = Runner(make_app(self.services, self.settings), grace=2.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*runner.addresses[0])
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    # What tests need people and projects for

    @property
    def root(self) -> Client:
        """A client of the administrator."""
        return Client(self.url, ROOT_TOKEN)

    @property
    def nobody(self) -> Client:
        """A client without a token."""
        return Client(self.url, None)

    def user(self, *scopes: str) -> tuple[int, Client]:
        """Make a user and return his id and a client with a token of his (scope `api` unless told otherwise)."""
        name = unique("user")
        made = self.root.post("/users", json={"username": name, "name": name, "email": f"{name}@example.com"})
        return made.json["id"], self.token_of(made.json["id"], *scopes)

    def token_of(self, user_id: int, *scopes: str) -> Client:
        """Return a client with a new token of a user."""
        body = {"name": "t", "scopes": list(scopes or ("api",))}
        made = self.root.post(f"/users/{user_id}/personal_access_tokens", json=body)
        return Client(self.url, made.json["token"])

    def project(self, visibility: str = "private", group: str | None = None) -> dict[str, Any]:
        """Make a project in a new group of the administrator's and return it as the API tells of it."""
        group = group or unique("group")
        made = self.root.post("/groups", json={"name": group, "path": group, "visibility": "public"})
        body = {"name": unique("app"), "namespace_id": made.json["id"], "visibility": visibility}
        answer = self.root.post("/projects", json=body)
        assert answer.status == 201, answer
        return dict(answer.json)

    def member(self, project: int, level: int, *scopes: str) -> Client:
        """Make a user with a level in the project and return his client."""
        user_id, client = self.user(*scopes)
        added = self.root.post(f"/projects/{project}/members", json={"user_id": user_id, "access_level": level})
        assert added.status == 201, added
        return client

    def job(self, client: Client, project: int, **fields: Any) -> tuple[dict[str, Any], Client]:
        """Register a job as `client` and return it with a client that holds its token."""
        made = client.post(f"/projects/{project}/jobs", json={"name": "build", "ref": "main", **fields})
        assert made.status == 201, made
        return dict(made.json), Client(self.url, made.json["token"], "JOB-TOKEN")
