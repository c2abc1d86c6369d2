"""docs/api.md tells what the server answers: fields, roles, errors."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from server.errors import TABLE, BadRequest, Refused, answer_to
from tests.docs.markdown import ROOT, cells, code, document, documents
from vault import errors as vault_errors
from vault.models import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Client, RunningVault

API = document("docs/api.md")
SAMPLE = ROOT / "sample_certs" / "files" / "sample.cer"


def tables(title: str) -> list[set[str]]:
    """Return the first cells' names of each table in a section."""
    found: list[set[str]] = []
    inside = False
    for line in API.section(title):
        if not line.startswith("|"):
            inside = False
        elif not inside:
            found.append(set())
            inside = True
        else:
            found[-1].update(code(cells(line)[0]))
    return found


class TestFields:
    """The tables of an object name its fields, each, and no others."""

    def test_of_a_secure_file(self, vault: RunningVault, project: dict[str, Any]) -> None:
        own, more = tables("A secure file")
        made = vault.root.upload(project["id"], "a.cer", SAMPLE.read_bytes()).json

        assert own == set(made)
        assert own == set(vault.root.get(f"/projects/{project['id']}/secure_files").json[0])
        assert own | more == set(vault.root.get("/secure_files").json[0])

    def test_of_an_upload(self, vault: RunningVault, project: dict[str, Any]) -> None:
        new, listed = tables("An upload")
        path = f"/projects/{project['id']}/uploads"

        assert new == set(vault.root.post(path, files={"file": ("a.png", b"1")}).json)
        assert listed == set(vault.root.get(path).json[0])

    def test_of_a_user(self, vault: RunningVault) -> None:
        short, more = tables("A user")
        _, somebody = vault.user()

        assert short == set(somebody.get("/users").json[0])
        assert short | more == set(somebody.get("/user").json) == set(vault.root.get("/users").json[0])

    def test_of_a_token(self, vault: RunningVault) -> None:
        (told,) = tables("A token")
        user, somebody = vault.user()
        body = {"name": "t", "scopes": ["api"]}

        assert told == set(vault.root.post(f"/users/{user}/personal_access_tokens", json=body).json)
        assert told - {"token"} == set(somebody.get("/personal_access_tokens/self").json)

    def test_of_a_group(self, vault: RunningVault, project: dict[str, Any]) -> None:
        (told,) = tables("A group")

        assert told == set(vault.root.get(f"/groups/{project['namespace']['id']}").json)

    def test_of_a_project(self, vault: RunningVault, project: dict[str, Any]) -> None:
        own, namespace = tables("A project")
        inside = {"project_access", "group_access", "access_level", "notification_level", "group", "user"}

        assert own == set(project)
        assert namespace - inside == set(project["namespace"])

    def test_of_a_member(self, vault: RunningVault, project: dict[str, Any]) -> None:
        short, (more,) = tables("A user")[0], tables("A member")
        vault.member(project["id"], 30)

        assert short | more == set(vault.root.get(f"/projects/{project['id']}/members").json[0])

    def test_of_an_audit_event(self, vault: RunningVault, project: dict[str, Any]) -> None:
        own, details = tables("An audit event")
        event = vault.root.get(f"/projects/{project['id']}/audit_events").json[0]

        assert own == set(event)
        assert details == set(event["details"])

    def test_of_a_pipeline_and_a_job(self, vault: RunningVault, project: dict[str, Any]) -> None:
        (pipeline,), (job,) = tables("A pipeline"), tables("A job")
        made, _ = vault.job(vault.root, project["id"])

        assert job == set(made)
        assert job - {"token"} == set(vault.root.get(f"/projects/{project['id']}/jobs").json[0])
        assert pipeline == set(made["pipeline"])


LEVELS = {role.name.lower(): role for role in Role if role >= Role.GUEST}
# A number for each part of a path: none of them exists, so that what is allowed is 404 or 400 and breaks nothing.
PARTS = re.compile(r":(\w+)")


def routes() -> Iterator[tuple[str, str, str]]:
    """Yield method, path and least role of each documented route below a project."""
    for line in API.prose():
        found = re.match(r"\| `(\w+) (/projects/:id/[^`]*)` \|", line)
        if found and (role := cells(line)[2].partition(",")[0]) in LEVELS:
            yield found[1], found[2], role


@pytest.fixture(scope="module")
def people(vault: RunningVault) -> tuple[int, dict[Role, Client]]:
    """A project and a member of it with each role."""
    number = vault.project()["id"]
    return number, {role: vault.member(number, int(role)) for role in LEVELS.values()}


class TestRoles:
    @pytest.mark.parametrize(("method", "path", "role"), list(routes()), ids=lambda each: each)
    def test_are_the_least_that_will_do(
        self, people: tuple[int, dict[Role, Client]], method: str, path: str, role: str
    ) -> None:
        number, clients = people
        path = PARTS.sub("999999", path.replace(":id", str(number), 1))

        for level, client in clients.items():
            status = client(method, path).status
            assert (status == 403) == (level < LEVELS[role]), f"{level.name} got {status}"


EXAMPLES: dict[type[Exception], Exception] = {
    type(example): example
    for example in (
        vault_errors.Unauthenticated(),
        vault_errors.TokenExpired(),
        vault_errors.TokenRevoked(),
        vault_errors.InsufficientScope(("api", "read_api")),
        vault_errors.Forbidden(),
        vault_errors.NotFound(),
        vault_errors.Conflict("Member already exists"),
        vault_errors.TooLarge(1),
        vault_errors.LimitExceeded("Maximum number of project ci secure files (100) exceeded"),
        vault_errors.Invalid("name", "has already been taken"),
        vault_errors.UnsafePath("name"),
        vault_errors.UnknownKey('the key "k2" is not in the keyring; restore the keyring from your backup'),
        vault_errors.StorageFull(),
        vault_errors.Unavailable(),
        BadRequest("name is missing, file is missing"),
    )
}


def of_everybody(column: str) -> list[tuple[str, str]]:
    """Return method and path of each route whose table says this of its token."""
    found = (re.match(rf"\| `(\w+) (/[^`]*)` \| {column} \|", line) for line in API.prose())
    return [(each[1], each[2]) for each in found if each]


class TestRoutesWithoutALogin:
    @pytest.mark.parametrize(("method", "path"), of_everybody("not asked"))
    def test_answer_everybody(self, vault: RunningVault, method: str, path: str) -> None:
        path = path.replace(":path", "a/b") + ("?service=git-upload-pack" if path.endswith("/refs") else "")

        assert vault.nobody(method, path).status in (200, 301)

    @pytest.mark.parametrize(("method", "path"), of_everybody("its own"))
    def test_that_ask_in_their_own_way_do_ask(self, vault: RunningVault, method: str, path: str) -> None:
        path = PARTS.sub("999999", path.replace(":path", "a/b"))
        url = vault.url if ".git/" in path else f"{vault.url}/api/v4"
        service = {"service": "git-upload-pack"} if path.endswith("/refs") else {}

        assert requests.request(method, url + path, params=service, timeout=60).status_code in (401, 403)


ROWS = [(int(row[0]), code(row[1])[0]) for row in API.table("Errors")]


class TestErrors:
    def test_have_bodies_that_are_json(self) -> None:
        for _, body in ROWS:
            assert set(json.loads(body)) & {"message", "error"}

    def test_of_every_class_that_is_answered_are_there_with_their_status(self) -> None:
        pages = "".join(page.text for page in documents() if page.path.name.startswith("api"))

        given = {Refused}  # has the status it is told
        elsewhere = {vault_errors.CannotCommit, vault_errors.BadArchive}  # of families with pages of their own

        for kind in TABLE.keys() - given - elsewhere:
            answer = answer_to(EXAMPLES.get(kind) or kind("some reason"))
            assert answer is not None
            assert re.search(rf"\b{answer.status}\b", pages), kind

    @pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
    def test_of_the_usual_kinds_are_there_word_for_word(self, kind: type[Exception]) -> None:
        answer = answer_to(EXAMPLES[kind])

        assert answer is not None
        assert isinstance(answer.body, bytes)
        assert (answer.status, answer.body.decode()) in ROWS

    def test_of_damage_name_the_file_the_object_and_the_key(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.upload(project["id"], "large", bytes(100_000)).json
        (blob,) = (path for path in Path(vault.settings.blobs_url()).glob("??/*") if path.stat().st_size > 100_000)
        blob.write_bytes(blob.read_bytes()[:-1] + b"\0")

        answer = vault.root.get(f"/projects/{project['id']}/secure_files/{made['id']}/download")

        begin = next(body for status, body in ROWS if status == 500 and "secure file 7" in body).partition("7")[0]
        assert answer.status == 500
        assert answer.body.decode().startswith(f"{begin}{made['id']}")
        assert blob.name in answer.json["message"]
        assert "k1" in answer.json["message"]


# Where the texts of this page's errors are made.
PLACES = [
    *(ROOT / "server").glob("*.py"),
    *(ROOT / "server" / "api" / f"{name}.py" for name in ("groups", "jobs", "members", "projects", "secure_files")),
    *(ROOT / "server" / "api" / f"{name}.py" for name in ("tokens", "uploads", "users")),
    *(ROOT / "vault" / f"{name}.py" for name in ("access", "filenames", "people", "pipelines", "projects")),
    *(ROOT / "vault" / f"{name}.py" for name in ("secure_files", "tokens", "uploads")),
]
RAISED = {"BadRequest", "Refused", "Invalid", "LimitExceeded", "Conflict", "Forbidden", "TooLarge", "refuse"}
NAMED_FIRST = {"Invalid", "Refused", "refuse"}  # their first argument is a field or a status
TO_THE_OPERATOR = {"settings.py", "sockets.py", "tls.py", "wiring.py"}


def texts(path: Path) -> set[str]:
    """Return the pieces of text that a file gives to errors; of a text with values in it, the pieces between."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and name in RAISED:
            for argument in node.args[1:2] if name in NAMED_FIRST else node.args[:2]:
                constants = [each for each in ast.walk(argument) if isinstance(each, ast.Constant)]
                found.update(each.value.strip() for each in constants if isinstance(each.value, str))
    return found - {"", "message", "error"}


class TestErrorTexts:
    @pytest.mark.parametrize(
        "path",
        [path for path in PLACES if path.name not in TO_THE_OPERATOR and texts(path)],
        ids=lambda path: str(path.relative_to(ROOT)),
    )
    def test_are_all_on_the_page(self, path: Path) -> None:
        page = re.sub(r"\s+", " ", API.text).replace('\\"', '"')

        assert {text for text in texts(path) if text not in page} == set()
