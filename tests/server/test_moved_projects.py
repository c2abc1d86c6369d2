"""A project that was renamed or moved: its former path leads to it, for those who may know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gitlab
import pytest

from tests.harness import ROOT_TOKEN, RunningVault, unique
from tests.server.repository_support import Repository, commit, push
from tests.vault.repositories.support import git, run_git

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Answer, Client

MISSING = {"message": "404 Project Not Found"}
NOT_ALLOWED = {"message": "Non GET methods are not allowed for moved projects"}
GUEST, REPORTER, DEVELOPER, MAINTAINER, OWNER = 10, 20, 30, 40, 50


class Moved(Repository):
    """A project with a secure file, an upload, a job's artifact and a repository, which was then renamed."""

    def __init__(self, vault: RunningVault, visibility: str = "private") -> None:
        super().__init__(vault, visibility)
        self.post("a", "content")
        place = f"/projects/{self.id}"
        self.file = vault.root.upload(self.id, "key", b"key").json["id"]
        self.upload = vault.root.post(f"{place}/uploads", files={"file": ("a.txt", b"upload")}).json
        self.old_url, self.old_path = self.url(vault.root), self.project["path_with_namespace"]
        self.old = quote(self.old_path, safe="")
        renamed = vault.root.put(place, json={"path": unique("renamed")})
        assert renamed.status == 200, renamed
        self.project = dict(renamed.json)

    @property
    def new_path(self) -> str:
        return str(self.project["path_with_namespace"])

    def reading(self) -> list[str]:
        """What every family reads, by the former path."""
        _, _, secret, name = self.upload["url"].split("/")
        below = (
            *("", "/secure_files", f"/secure_files/{self.file}", f"/secure_files/{self.file}/download"),
            *(
                "/uploads",
                f"/uploads/{secret}/{name}",
                "/jobs",
                "/jobs/1/artifacts",
                "/jobs/artifacts/main/raw/a?job=b",
            ),
            *("/repository/files/a?ref=main", "/repository/files/a/raw", "/repository/files/a/blame?ref=main"),
            *("/members/all?per_page=1", "/audit_events"),
        )
        return [f"/projects/{self.old}{each}" for each in below]


@pytest.fixture(scope="module")
def moved(vault: RunningVault) -> Moved:
    return Moved(vault)


def follow(client: Client, answer: Answer) -> Answer:
    place = answer.headers["Location"]
    assert place.startswith(f"{client.url}/api/v4")
    return client.get(place.removeprefix(f"{client.url}/api/v4"))


class TestReadingByTheFormerPath:
    def test_leads_to_the_number_in_every_family(self, vault: RunningVault, moved: Moved) -> None:
        for path in moved.reading():
            for method in ("GET", "HEAD"):
                answer = vault.root(method, path)
                there = path.replace(moved.old, str(moved.id))
                assert (answer.status, answer.headers["Location"]) == (301, f"{vault.url}/api/v4{there}"), path

        said = vault.root.get(f"/projects/{moved.old}").json["message"]
        assert said == f"This resource has been moved permanently to {vault.url}/api/v4/projects/{moved.id}"

    def test_reads_the_same_when_the_client_follows(self, vault: RunningVault, moved: Moved) -> None:
        place = f"/projects/{moved.old}"

        raw = follow(vault.root, vault.root.get(f"{place}/repository/files/a/raw?ref=main"))
        key = follow(vault.root, vault.root.get(f"{place}/secure_files/{moved.file}/download"))

        assert (raw.body, key.body) == (b"content", b"key")

    @pytest.mark.parametrize("spelling", [str.upper, str.title, lambda path: path.replace("-", "%2D")])
    def test_does_not_tell_cases_or_escapes_apart(self, vault: RunningVault, moved: Moved, spelling: Any) -> None:
        assert vault.root.get(f"/projects/{spelling(moved.old).replace('%2f', '%2F')}").status == 301

    def test_keeps_the_query_as_it_is(self, vault: RunningVault, moved: Moved) -> None:
        query = "ref=a%2Fb&x=%20+&ref=main"

        answer = vault.root.get(f"/projects/{moved.old}/repository/files/d%2Fa/raw?{query}")

        there = f"{vault.url}/api/v4/projects/{moved.id}/repository/files/d%2Fa/raw?{query}"
        assert answer.headers["Location"] == there

    def test_repeats_a_token_of_the_query_only_where_the_client_is_led(self, vault: RunningVault, moved: Moved) -> None:
        answer = vault.nobody.get(f"/projects/{moved.old}?private_token={ROOT_TOKEN}")

        assert answer.status == 301
        assert ROOT_TOKEN in answer.headers["Location"], "the client has no other place for it"
        assert ROOT_TOKEN.encode() not in answer.body

    def test_is_led_on_before_the_role_is_asked_for(self, vault: RunningVault, moved: Moved) -> None:
        guest = vault.member(moved.id, GUEST)

        answer = guest.get(f"/projects/{moved.old}/secure_files")

        assert answer.status == 301
        assert follow(guest, answer).status == 403

    def test_works_with_a_jobs_token(self, vault: RunningVault, moved: Moved) -> None:
        job = vault.job(vault.root, moved.id)[1]

        answer = job.get(f"/projects/{moved.old}/secure_files/{moved.file}/download")

        assert (answer.status, follow(job, answer).body) == (301, b"key")

    def test_is_followed_by_python_gitlab(self, vault: RunningVault, moved: Moved) -> None:
        client = gitlab.Gitlab(vault.url, private_token=ROOT_TOKEN)

        project = client.projects.get(moved.old_path)
        lazily = client.projects.get(moved.old_path, lazy=True)

        assert (project.id, project.path_with_namespace) == (moved.id, moved.new_path)
        assert lazily.files.get(file_path="a", ref="main").decode() == b"content"
        assert lazily.secure_files.get(moved.file).download() == b"key"


class TestWhoMayNotKnowOfIt:
    def test_is_told_of_no_new_name(self, vault: RunningVault, moved: Moved) -> None:
        for client in (vault.user()[1], vault.nobody):
            for path in moved.reading():
                answer = client.get(path)
                assert answer.status in (401, 404), path
                assert "Location" not in answer.headers
                assert moved.new_path.encode() not in answer.body
            assert client.get(f"/projects/{moved.old}").json == MISSING

    def test_is_told_nothing_by_what_writes_either(self, vault: RunningVault, moved: Moved) -> None:
        answer = vault.user()[1].put(f"/projects/{moved.old}", json={"name": "x"})

        assert (answer.status, answer.json) == (404, MISSING)

    def test_finds_a_public_one_all_the_same(self, vault: RunningVault) -> None:
        public = Moved(vault, "public")

        assert vault.nobody.get(f"/projects/{public.old}").status == 301

    def test_is_told_so_by_a_job_of_another_project(self, vault: RunningVault, moved: Moved) -> None:
        job = vault.job(vault.root, vault.project()["id"])[1]

        assert job.get(f"/projects/{moved.old}/secure_files").status == 403


class TestWritingByTheFormerPath:
    def test_is_405_in_every_family_and_says_where_to(self, vault: RunningVault, moved: Moved) -> None:
        place = f"/projects/{moved.old}"
        file = {"file": ("b", b"b")}
        writes: list[tuple[str, str, dict[str, Any]]] = [
            ("PUT", "", {"json": {"name": "x"}}),
            ("DELETE", "", {}),
            ("POST", "/secure_files", {"data": {"name": "b"}, "files": file}),
            ("DELETE", f"/secure_files/{moved.file}", {}),
            ("POST", "/uploads", {"files": file}),
            ("POST", "/jobs", {"json": {"name": "b", "ref": "main"}}),
            ("DELETE", "/artifacts", {}),
            *((each, "/repository/files/a", {"json": {"branch": "main"}}) for each in ("POST", "PUT", "DELETE")),
        ]
        for method, below, more in writes:
            answer = vault.root(method, place + below, **more)
            assert (answer.status, answer.json) == (405, NOT_ALLOWED), (method, below)
            assert answer.headers["Location"] == f"{vault.url}/api/v4/projects/{moved.id}{below}"
            assert answer.headers["Allow"] == "GET, HEAD"

    def test_changes_nothing(self, vault: RunningVault, moved: Moved) -> None:
        before = vault.root.get(f"/projects/{moved.id}").json, moved.git("rev-parse", "main")

        vault.root.delete(f"/projects/{moved.old}")
        vault.root.post(f"/projects/{moved.old}/repository/files/z", json={"branch": "main", "content": "z"})

        assert (vault.root.get(f"/projects/{moved.id}").json, moved.git("rev-parse", "main")) == before

    def test_is_told_to_who_uses_python_gitlab(self, vault: RunningVault, moved: Moved) -> None:
        project = gitlab.Gitlab(vault.url, private_token=ROOT_TOKEN).projects.get(moved.old_path, lazy=True)

        with pytest.raises(gitlab.exceptions.GitlabCreateError) as refused:
            project.files.create({"file_path": "z", "branch": "main", "content": "z", "commit_message": "z"})

        assert refused.value.response_code == 405
        assert "moved projects" in str(refused.value)


class TestGit:
    def test_clones_fetches_and_pushes_by_the_former_address(self, vault: RunningVault, tmp_path: Path) -> None:
        repository = Moved(vault)
        clone = tmp_path / "clone"

        done = run_git("clone", repository.old_url, str(clone))
        commit(clone, "new", b"new\n")
        pushed = push(clone, repository.old_url, "HEAD:refs/heads/main")

        assert done.returncode == 0
        assert f"redirecting to {vault.url}/{repository.new_path}.git".encode() in done.stderr
        assert pushed.startswith("ok ")
        assert repository.git("rev-parse", "main") == git("rev-parse", "HEAD", cwd=clone)
        assert run_git("fetch", cwd=clone).returncode == 0

    def test_clones_by_the_former_address_without_dot_git(self, vault: RunningVault, tmp_path: Path) -> None:
        repository = Moved(vault)

        git("clone", "--quiet", repository.old_url.removesuffix(".git"), str(tmp_path / "c"))

        assert (tmp_path / "c/a").read_bytes() == b"content"

    def test_is_served_where_a_client_goes_on_at_the_former_address(self, vault: RunningVault, moved: Moved) -> None:
        kind = {"Content-Type": "application/x-git-upload-pack-request"}

        answer = vault.root.post(f"/{moved.old_path}.git/git-upload-pack", data=b"0000", headers=kind)

        assert answer.status == 200

    def test_of_who_may_not_read_it_is_told_no_new_name(self, vault: RunningVault, moved: Moved) -> None:
        path = f"/{moved.old_path}.git/info/refs?service=git-upload-pack"
        answers = {vault.nobody.get(path).status, vault.user()[1].get(path).status}
        guest = vault.member(moved.id, GUEST).get(path)

        assert answers == {401, 404}
        assert (guest.status, "Location" in guest.headers) == (403, False)


class TestANewProjectAtTheFormerPath:
    def test_is_the_one_that_is_meant_from_then_on(self, vault: RunningVault) -> None:
        first = Moved(vault)
        body = {"path": first.old_path.rpartition("/")[2], "namespace_id": first.project["namespace"]["id"]}

        made = vault.root.post("/projects", json=body)

        assert made.status == 201
        assert vault.root.get(f"/projects/{first.old}").json["id"] == made.json["id"]
        assert vault.root.delete(f"/projects/{made.json['id']}").status == 202
        assert vault.root.get(f"/projects/{first.old}").status == 404, "what was taken leads to nobody any more"

    def test_may_be_another_that_was_renamed(self, vault: RunningVault) -> None:
        first = Moved(vault)
        other = vault.root.post(
            "/projects", json={"name": unique("app"), "namespace_id": first.project["namespace"]["id"]}
        ).json["id"]

        assert vault.root.put(f"/projects/{other}", json={"path": first.old_path.rpartition("/")[2]}).status == 200

        assert vault.root.get(f"/projects/{first.old}").json["id"] == other

    def test_may_be_the_same_that_comes_back(self, vault: RunningVault) -> None:
        project = Moved(vault)

        vault.root.put(f"/projects/{project.id}", json={"path": project.old_path.rpartition("/")[2]})

        assert vault.root.get(f"/projects/{project.old}").json["id"] == project.id
        assert vault.root.get(f"/projects/{quote(project.new_path, safe='')}").status == 301


class TestRenaming:
    def test_changes_path_or_name_alone(self, vault: RunningVault) -> None:
        project = vault.project()
        place, path = f"/projects/{project['id']}", unique("new")

        named = vault.root.put(place, json={"name": "A new name"})
        moved = vault.root.put(place, data={"path": path})

        assert (named.json["name"], named.json["path"]) == ("A new name", project["path"])
        assert (moved.json["name"], moved.json["path"]) == ("A new name", path)
        assert moved.json["path_with_namespace"] == f"{project['namespace']['full_path']}/{path}"
        assert moved.json["http_url_to_repo"] == f"{vault.url}/{project['namespace']['full_path']}/{path}.git"

    def test_leads_to_the_newest_path_from_all_that_were(self, vault: RunningVault) -> None:
        project = vault.project()
        places = [project["path_with_namespace"]]
        for _ in range(3):
            answer = vault.root.put(f"/projects/{project['id']}", json={"path": unique("again")})
            places.append(answer.json["path_with_namespace"])

        statuses = [vault.root.get(f"/projects/{quote(each, safe='')}").status for each in places]

        assert statuses == [301, 301, 301, 200]

    def test_in_case_alone_leaves_no_former_path(self, vault: RunningVault) -> None:
        project = vault.project()

        answer = vault.root.put(f"/projects/{project['id']}", json={"path": project["path"].upper()})

        assert answer.json["path"] == project["path"].upper()
        assert vault.root.get(f"/projects/{quote(project['path_with_namespace'], safe='')}").status == 200

    def test_to_a_path_that_is_taken_is_refused(self, vault: RunningVault) -> None:
        project = vault.project()
        taken = vault.root.post(
            "/projects", json={"name": unique("taken"), "namespace_id": project["namespace"]["id"]}
        ).json["path"]

        answer = vault.root.put(f"/projects/{project['id']}", json={"path": taken.upper(), "description": "lost"})

        problem = ["has already been taken"]
        assert (answer.status, answer.json) == (400, {"message": {"path": problem, "name": problem}})
        assert vault.root.get(f"/projects/{project['id']}").json == project

    @pytest.mark.parametrize("path", ["", "a/b", "-a", "a.git", "a b", "é", "a" * 256, ".."])
    def test_to_what_is_no_path_is_refused(self, vault: RunningVault, path: str) -> None:
        project = vault.project()

        answer = vault.root.put(f"/projects/{project['id']}", json={"path": path})

        assert (answer.status, list(answer.json["message"])) == (400, ["path"])

    def test_is_for_maintainers(self, vault: RunningVault) -> None:
        project = vault.project()["id"]

        def status(level: int) -> int:
            return vault.member(project, level).put(f"/projects/{project}", json={"path": unique("p")}).status

        assert (status(DEVELOPER), status(MAINTAINER)) == (403, 200)

    def test_is_done_by_python_gitlab(self, vault: RunningVault) -> None:
        client = gitlab.Gitlab(vault.url, private_token=ROOT_TOKEN)
        project = client.projects.get(vault.project()["id"])
        former, project.path = project.path_with_namespace, unique("saved")

        project.save()

        assert client.projects.get(former).path == project.path

    def test_is_in_the_audit_log_with_who_did_it_from_where_to_where(self, vault: RunningVault) -> None:
        project = vault.project()
        maintainer = vault.member(project["id"], MAINTAINER)
        answer = maintainer.put(f"/projects/{project['id']}", json={"path": unique("noted")})

        newest = vault.root.get(f"/projects/{project['id']}/audit_events").json[0]

        name = maintainer.get("/user").json["username"]
        there = f"?from={project['path_with_namespace']}&to={answer.json['path_with_namespace']}"
        assert newest["details"]["author_name"] == name
        assert newest["details"]["event_name"] == "project.change"
        assert newest["details"]["target_details"] == f"/projects/{project['id']}{there}"


class TestMovingToAnotherNamespace:
    def test_takes_all_along_and_leads_there(self, vault: RunningVault) -> None:
        project = Moved(vault)
        group = vault.project()["namespace"]

        answer = vault.root.put(f"/projects/{project.id}/transfer", json={"namespace": group["id"]})

        assert answer.status == 200
        assert answer.json["path_with_namespace"] == f"{group['full_path']}/{project.project['path']}"
        assert answer.json["namespace"]["id"] == group["id"]
        assert vault.root.get(f"/projects/{quote(project.new_path, safe='')}").status == 301
        assert vault.root.get(f"/projects/{project.old}").status == 301
        assert project.raw("a").body == b"content"
        assert vault.root.get(f"/projects/{project.id}/secure_files/{project.file}/download").body == b"key"

    @pytest.mark.parametrize("how", ["id", "full_path"])
    def test_is_done_by_python_gitlab(self, vault: RunningVault, how: str) -> None:
        client = gitlab.Gitlab(vault.url, private_token=ROOT_TOKEN)
        project, group = client.projects.get(vault.project()["id"]), vault.project()["namespace"]

        project.transfer(group[how])

        assert client.projects.get(project.id).namespace["id"] == group["id"]

    def test_gives_the_roles_of_the_new_group_and_takes_those_of_the_old(self, vault: RunningVault) -> None:
        one, other = vault.project(), vault.project()
        members = []
        for group in (one["namespace"]["id"], other["namespace"]["id"]):
            user, client = vault.user()
            vault.root.post(f"/groups/{group}/members", json={"user_id": user, "access_level": DEVELOPER})
            members.append(client)
        files = f"/projects/{one['id']}/secure_files"
        assert [client.get(files).status for client in members] == [200, 404]

        vault.root.put(f"/projects/{one['id']}/transfer", json={"namespace": other["namespace"]["id"]})

        assert [client.get(files).status for client in members] == [404, 200]

    def test_needs_the_owner_and_a_maintainer_of_where_it_goes(self, vault: RunningVault) -> None:
        project, group = vault.project()["id"], vault.project()["namespace"]["id"]
        place, body = f"/projects/{project}/transfer", {"namespace": group}
        user, owner = vault.user()
        vault.root.post(f"/projects/{project}/members", json={"user_id": user, "access_level": OWNER})

        assert vault.member(project, MAINTAINER).put(place, json=body).status == 403
        assert owner.put(place, json=body).status == 403
        vault.root.post(f"/groups/{group}/members", json={"user_id": user, "access_level": MAINTAINER})
        assert owner.put(place, json=body).status == 200

    def test_to_where_its_path_is_taken_is_refused(self, vault: RunningVault) -> None:
        one, other = vault.project(), vault.project()
        vault.root.post("/projects", json={"path": one["path"], "namespace_id": other["namespace"]["id"]})

        answer = vault.root.put(f"/projects/{one['id']}/transfer", json={"namespace": other["namespace"]["id"]})

        text = "Project with same name or path in target namespace already exists"
        assert answer.json == {"message": f'Failed to transfer project {{:new_namespace=>["{text}"]}}'}
        assert answer.status == 400

    def test_to_where_it_lies_already_is_refused(self, vault: RunningVault) -> None:
        project = vault.project()

        answer = vault.root.put(
            f"/projects/{project['id']}/transfer", json={"namespace": project["namespace"]["full_path"]}
        )

        assert (answer.status, "already in this namespace" in answer.json["message"]) == (400, True)

    def test_to_nowhere_is_404(self, vault: RunningVault) -> None:
        place = f"/projects/{vault.project()['id']}/transfer"

        for namespace in ("no/where", 999_999, "é", "-1"):
            answer = vault.root.put(place, json={"namespace": namespace})
            assert (answer.status, answer.json) == (404, {"message": "404 Namespace Not Found"})
        assert vault.root.put(place).json == {"error": "namespace is missing"}


class TestRenamingAGroup:
    def test_renames_all_that_is_in_it_and_leads_there(self, vault: RunningVault) -> None:
        project = vault.project()
        group = project["namespace"]
        below = vault.root.post("/groups", json={"name": "b", "path": "below", "parent_id": group["id"]}).json
        deep = vault.root.post("/projects", json={"name": "deep", "namespace_id": below["id"]}).json
        path = unique("renamed")

        answer = vault.root.put(f"/groups/{group['id']}", json={"path": path, "name": "Renamed"})

        assert (answer.json["full_path"], answer.json["name"]) == (path, "Renamed")
        assert vault.root.get(f"/groups/{below['id']}").json["full_path"] == f"{path}/below"
        assert vault.root.get(f"/projects/{deep['id']}").json["path_with_namespace"] == f"{path}/below/deep"
        for each in (project, deep):
            old = vault.root.get(f"/projects/{quote(each['path_with_namespace'], safe='')}")
            assert (old.status, old.headers["Location"]) == (301, f"{vault.url}/api/v4/projects/{each['id']}")

    def test_ends_the_former_paths_below_the_one_it_takes(self, vault: RunningVault) -> None:
        project, other = vault.project(), vault.project()["namespace"]
        old = project["namespace"]["full_path"]
        vault.root.put(f"/groups/{project['namespace']['id']}", json={"path": unique("gone")})

        assert vault.root.put(f"/groups/{other['id']}", json={"path": old}).status == 200

        assert vault.root.get(f"/projects/{quote(project['path_with_namespace'], safe='')}").status == 404

    @pytest.mark.parametrize("kind", ["group", "user"])
    def test_leaves_its_path_to_a_new_one_that_owes_nothing_to_it(self, vault: RunningVault, kind: str) -> None:
        project = vault.project()
        old = project["namespace"]["full_path"]
        vault.root.put(f"/groups/{project['namespace']['id']}", json={"path": unique("gone")})

        if kind == "group":
            made = vault.root.post("/groups", json={"name": "new", "path": old})
        else:
            made = vault.root.post("/users", json={"username": old, "name": "n", "email": "e@example.com"})

        assert made.status == 201
        assert vault.root.get(f"/projects/{quote(project['path_with_namespace'], safe='')}").status == 404

    def test_to_a_path_that_is_taken_is_refused(self, vault: RunningVault) -> None:
        group = vault.project()["namespace"]

        answer = vault.root.put(f"/groups/{group['id']}", json={"path": "ROOT"})

        assert (answer.status, answer.json) == (400, {"message": {"path": ["has already been taken"]}})

    def test_is_for_owners(self, vault: RunningVault) -> None:
        group = vault.project()["namespace"]["id"]
        user, maintainer = vault.user()
        vault.root.post(f"/groups/{group}/members", json={"user_id": user, "access_level": MAINTAINER})

        assert maintainer.put(f"/groups/{group}", json={"path": unique("x")}).status == 403

    def test_changes_what_is_given_and_nothing_else(self, vault: RunningVault) -> None:
        group = vault.root.get(f"/groups/{vault.project()['namespace']['id']}").json
        change = {"description": "d", "visibility": "internal"}

        assert vault.root.put(f"/groups/{group['id']}", json=change).json == {**group, **change}

    def test_is_done_by_python_gitlab(self, vault: RunningVault) -> None:
        group = gitlab.Gitlab(vault.url, private_token=ROOT_TOKEN).groups.get(vault.project()["namespace"]["id"])
        group.path = unique("saved")

        group.save()

        assert vault.root.get(f"/groups/{group.id}").json["full_path"] == group.path
