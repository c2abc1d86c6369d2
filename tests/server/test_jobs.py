"""Pipelines and jobs as programs read and register them, and as a runner reports on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness import Answer, Client, RunningVault

JOB = {"id", "name", "ref", "stage", "status", "pipeline", "artifacts", "artifacts_expire_at", "web_url", "created_at"}


def register(client: Client, project: dict[str, Any], **fields: Any) -> Answer:
    return client.post(f"/projects/{project['id']}/jobs", json={"name": "build", "ref": "main", **fields})


class TestPipelines:
    def test_are_registered_with_any_ref_and_sha(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = vault.root.post(f"/projects/{project['id']}/pipelines", data={"ref": "feature/x", "sha": "abc"})

        assert made.status == 201
        assert made.json.items() >= {"project_id": project["id"], "ref": "feature/x", "sha": "abc"}.items()
        one = vault.root.get(f"/projects/{project['id']}/pipelines/{made.json['id']}")
        assert (one.status, one.json) == (200, made.json)

    def test_follow_their_jobs_unless_a_status_was_given(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = f"/projects/{project['id']}/pipelines"
        following = vault.root.post(path, json={"ref": "main"}).json["id"]
        fixed = vault.root.post(path, json={"ref": "main", "status": "failed"}).json["id"]

        for pipeline in (following, fixed):
            register(vault.root, project, pipeline_id=pipeline, status="success")

        assert vault.root.get(f"{path}/{following}").json["status"] == "success"
        assert vault.root.get(f"{path}/{fixed}").json["status"] == "failed"

    def test_may_have_a_parent_in_the_same_project(self, vault: RunningVault, project: dict[str, Any]) -> None:
        path = f"/projects/{project['id']}/pipelines"
        parent = vault.root.post(path, json={"ref": "main"}).json["id"]
        elsewhere = vault.root.post(f"/projects/{vault.project()['id']}/pipelines", json={"ref": "main"}).json["id"]

        assert vault.root.post(path, json={"ref": "main", "parent_id": parent}).json["source"] == "parent_pipeline"
        assert vault.root.post(path, json={"ref": "main", "parent_id": elsewhere}).status == 404

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({}, "ref is missing"),
            ({"ref": " "}, "ref is empty"),
            ({"ref": "main", "status": "well"}, "status does not have a valid value"),
            ({"ref": "main", "parent_id": "x"}, "parent_id is invalid"),
        ],
    )
    def test_that_cannot_be_are_refused(
        self, vault: RunningVault, project: dict[str, Any], fields: dict[str, Any], error: str
    ) -> None:
        answer = vault.root.post(f"/projects/{project['id']}/pipelines", json=fields)

        assert (answer.status, answer.json) == (400, {"error": error})


class TestRegisteringJobs:
    def test_answers_with_the_job_and_its_token(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = register(vault.root, project)

        assert made.status == 201
        assert made.json["token"].startswith("glcbt-")
        shown = vault.root.get(f"/projects/{project['id']}/jobs/{made.json['id']}")
        assert shown.json == {key: value for key, value in made.json.items() if key != "token"}
        assert set(shown.json) >= JOB
        assert shown.json["status"] == "running"
        assert shown.json["pipeline"].items() >= {"project_id": project["id"], "ref": "main"}.items()
        assert shown.json["web_url"].startswith(f"{vault.url}/{project['path_with_namespace']}/-/jobs/")

    @pytest.mark.parametrize(("level", "status"), [(10, 403), (20, 403), (30, 201), (40, 201)])
    def test_is_for_developers(self, vault: RunningVault, project: dict[str, Any], level: int, status: int) -> None:
        client = vault.member(project["id"], level)

        assert register(client, project).status == status
        assert client.post(f"/projects/{project['id']}/pipelines", json={"ref": "main"}).status == status

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"name": None, "ref": None}, "name is missing, ref is missing"),
            ({"name": ""}, "name is empty"),
            ({"status": "well"}, "status does not have a valid value"),
            ({"pipeline_id": []}, "pipeline_id is invalid"),
        ],
    )
    def test_that_cannot_be_is_refused(
        self, vault: RunningVault, project: dict[str, Any], fields: dict[str, Any], error: str
    ) -> None:
        answer = register(vault.root, project, **fields)

        assert (answer.status, answer.json) == (400, {"error": error})

    def test_in_a_pipeline_of_another_project_is_refused(self, vault: RunningVault, project: dict[str, Any]) -> None:
        elsewhere = vault.root.post(f"/projects/{vault.project()['id']}/pipelines", json={"ref": "main"}).json["id"]

        assert register(vault.root, project, pipeline_id=elsewhere).status == 404


class TestReadingJobs:
    def test_lists_them_newest_first_and_by_status(self, vault: RunningVault, project: dict[str, Any]) -> None:
        ids = {
            state: register(vault.root, project, status=state).json["id"] for state in ("success", "failed", "manual")
        }
        path = f"/projects/{project['id']}/jobs"

        def listed(query: str) -> list[int]:
            return [job["id"] for job in vault.root.get(path + query).json]

        assert listed("") == sorted(ids.values(), reverse=True)
        assert listed("?scope[]=failed") == listed("?scope=failed") == [ids["failed"]]
        assert listed("?scope[]=failed&scope%5B%5D=success") == [ids["failed"], ids["success"]]
        assert vault.root.get(f"{path}?scope[]=well").json == {"error": "scope does not have a valid value"}

    @pytest.mark.parametrize("number", ["0", "999999", "9" * 30])
    def test_that_are_not_there_is_404(self, vault: RunningVault, project: dict[str, Any], number: str) -> None:
        assert vault.root.get(f"/projects/{project['id']}/jobs/{number}").status == 404

    def test_of_another_project_is_404(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made = register(vault.root, vault.project()).json

        assert vault.root.get(f"/projects/{project['id']}/jobs/{made['id']}").status == 404

    def test_by_its_own_token_tells_a_job_of_itself(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made, job = vault.job(vault.root, project["id"])

        assert job.get("/job").json["id"] == made["id"]
        assert vault.root.get("/job").status == 401
        assert vault.nobody.get("/job").status == 401


class TestReports:
    """`PUT /jobs/:id`, as gitlab-runner sends it: the job's token stands in the body."""

    @pytest.mark.parametrize("state", ["success", "failed"])
    def test_end_the_job_and_its_pipeline(self, vault: RunningVault, project: dict[str, Any], state: str) -> None:
        made, job = vault.job(vault.root, project["id"])
        body = {"token": job.token, "state": state, "failure_reason": "script_failure", "info": {"name": "runner"}}

        answer = vault.nobody.put(f"/jobs/{made['id']}", json=body)

        assert answer.status == 200
        shown = vault.root.get(f"/projects/{project['id']}/jobs/{made['id']}").json
        assert (shown["status"], shown["pipeline"]["status"]) == (state, state)
        assert shown["failure_reason"] == ("script_failure" if state == "failed" else None)
        assert shown["finished_at"] is not None

    def test_that_the_job_still_runs_change_nothing(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made, job = vault.job(vault.root, project["id"])

        for body in ({"token": job.token, "state": "running"}, {"token": job.token}):
            assert vault.nobody.put(f"/jobs/{made['id']}", json=body).json["status"] == "running"
        assert job.get("/job").status == 200

    def test_on_an_ended_job_are_403_and_name_its_state(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made, job = vault.job(vault.root, project["id"])
        body = {"token": job.token, "state": "success"}
        vault.nobody.put(f"/jobs/{made['id']}", json=body)

        answer = vault.nobody.put(f"/jobs/{made['id']}", json={**body, "state": "failed"})

        assert (answer.status, answer.headers["Job-Status"]) == (403, "success")

    def test_are_for_the_job_itself_alone(self, vault: RunningVault, project: dict[str, Any]) -> None:
        made, _ = vault.job(vault.root, project["id"])
        _, other = vault.job(vault.root, project["id"])

        assert other.put(f"/jobs/{made['id']}", json={"state": "success"}).status == 403
        assert vault.root.put(f"/jobs/{made['id']}", json={"state": "success"}).status == 403
        assert vault.nobody.put(f"/jobs/{made['id']}", json={"state": "success"}).status == 403

    @pytest.mark.parametrize("state", ["canceled", "pending", "well"])
    def test_of_other_states_are_refused(self, vault: RunningVault, project: dict[str, Any], state: str) -> None:
        made, job = vault.job(vault.root, project["id"])

        answer = job.put(f"/jobs/{made['id']}", json={"state": state})

        assert (answer.status, answer.json) == (400, {"error": "state does not have a valid value"})


class TestAroundTheFamilies:
    def test_the_version_is_one_that_clients_compare(self, vault: RunningVault) -> None:
        version, metadata = vault.root.get("/version").json, vault.root.get("/metadata").json

        assert all(part.isdigit() for part in version["version"].split("."))
        assert len(version["version"].split(".")) == 3
        assert version["revision"]
        assert metadata.items() >= {**version, "enterprise": False}.items()
        assert metadata["kas"]["enabled"] is False

    @pytest.mark.parametrize("path", ["/-/health", "/-/readiness", "/-/liveness"])
    def test_health_is_told_to_everybody(self, vault: RunningVault, path: str) -> None:
        assert vault.nobody.get(path).status == 200
        assert vault.nobody("HEAD", path).status == 200

    def test_what_glab_counts_is_nothing_here(self, vault: RunningVault) -> None:
        answer = vault.root.post("/usage_data/track_event", json={"event": "x"})

        assert (answer.status, answer.json) == (404, {"error": "404 Not Found"})

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
    def test_an_empty_json_body_is_no_error(self, vault: RunningVault, project: dict[str, Any], method: str) -> None:
        """python-gitlab and Go's client send the type of JSON with every request, gitbeaker `{}` with each DELETE."""
        file = vault.root.upload(project["id"], "a", b"1").json["id"]
        path = f"/projects/{project['id']}"
        places = {
            "GET": (f"{path}/secure_files", 200),
            "HEAD": (f"{path}/secure_files/{file}/download", 200),
            "POST": (f"{path}/jobs?name=a&ref=main", 201),
            "PUT": (f"{path}?description=b", 200),
            "DELETE": (f"{path}/secure_files/{file}", 204),
        }
        place, status = places[method]

        for body in (b"{}", b"") if method != "DELETE" else (b"{}",):
            answer = vault.root(method, place, data=body, headers={"Content-Type": "application/json"})
            assert answer.status == status, answer
