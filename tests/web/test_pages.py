"""The pages by hand and without scripts: what they show, what their forms do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.harness import RunningVault
from tests.web.browser import Browser
from tests.zips import archive

SAMPLES = Path(__file__).parent.parent.parent / "sample_certs" / "files"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


@pytest.fixture
def browser(vault: RunningVault) -> Browser:
    browser = Browser(vault.url)
    assert browser.sign_in().status == 200
    return browser


class TestFirstPage:
    def test_shows_what_expires_and_leads_to_the_file(
        self, vault: RunningVault, project: dict[str, Any], browser: Browser
    ) -> None:
        vault.root.upload(project["id"], "first-page.cer", sample("development-expired.CER"))

        page = browser.get("/")

        assert "first-page.cer" in page.links
        assert "first-page.cer" in browser.get(page.links["first-page.cer"]).said
        assert "expired" in page.said

    def test_shows_only_what_the_token_may_read(self, vault: RunningVault, project: dict[str, Any]) -> None:
        vault.root.upload(project["id"], "hidden.cer", sample("sample.cer"))
        _, stranger = vault.user("read_api")
        browser = Browser(vault.url)
        browser.sign_in(str(stranger.token))

        assert "hidden.cer" not in browser.get("/").text
        assert browser.get(f"/-/projects/{project['id']}").status == 404

    def test_leads_to_all_files_a_part_at_a_time(self, vault: RunningVault, project: dict[str, Any]) -> None:
        reader = vault.member(project["id"], 30, "read_api")
        for number in range(30):
            vault.root.upload(project["id"], f"{number}.cer", sample("sample.cer"))
        browser = Browser(vault.url)
        browser.sign_in(str(reader.token))

        first = browser.get("/")
        second = browser.get(first.links["Later"])

        assert "Page 2 of 2, 30 files" in second.said
        names = {name for page in (first, second) for name in page.links if name.endswith(".cer")}
        assert names == {f"{number}.cer" for number in range(30)}
        assert browser.get("/?files=999").said == second.said


class TestFiles:
    def test_are_uploaded_shown_replaced_and_deleted(
        self, vault: RunningVault, project: dict[str, Any], browser: Browser
    ) -> None:
        home = f"/-/projects/{project['id']}"
        page = browser.submit(browser.get(home), f"{home}/files", {"file": ("a.cer", sample("sample.cer"))})
        assert "The file is in the vault." in page.said
        one = page.url.removeprefix(vault.url).partition("?")[0]

        assert browser.get(f"{one}/download").headers["Content-Disposition"] == 'attachment; filename="a.cer"'
        page = browser.submit(page, f"{one}/replace", {"file": ("b.cer", sample("push-services.crt"))})
        assert "The file is replaced" in page.said
        assert vault.root.get(f"/projects/{project['id']}/secure_files").json[0]["name"] == "a.cer"
        page = browser.submit(page, f"{one}/delete")
        assert "nobody can read it any more" in page.said
        assert vault.root.get(f"/projects/{project['id']}/secure_files").json == []

    def test_are_named_in_the_order_of_their_letters(
        self, vault: RunningVault, project: dict[str, Any], browser: Browser
    ) -> None:
        vault.root.upload(project["id"], "a\u202egpj.cer", b"x")

        page = browser.get(f"/-/projects/{project['id']}")

        assert "a\\u202egpj.cer" in page.links
        assert "\u202e" not in page.text

    def test_that_cannot_be_taken_are_told_on_the_same_page(
        self, vault: RunningVault, project: dict[str, Any], browser: Browser
    ) -> None:
        vault.root.upload(project["id"], "a.cer", b"x")
        home = f"/-/projects/{project['id']}"

        page = browser.submit(browser.get(home), f"{home}/files", {"file": ("a.cer", b"y")})

        assert page.status == 400
        assert "Name has already been taken." in page.said

    def test_are_read_with_a_password_that_is_tried(
        self, vault: RunningVault, project: dict[str, Any], browser: Browser
    ) -> None:
        made = vault.root.upload(project["id"], "a.p12", sample("distribution.p12")).json
        one = f"/-/projects/{project['id']}/files/{made['id']}"

        wrong = browser.submit(browser.get(one), f"{one}/password", password="guess")
        right = browser.submit(browser.get(one), f"{one}/password", password="sample")

        assert "could not be read with that password" in wrong.said
        assert "The file was read again." in right.said
        assert "Expires in" in right.said


class TestLimits:
    def test_of_requests_are_told_on_a_page(self, tmp_path: Path) -> None:
        with RunningVault(tmp_path / "data", requests_per_minute=4) as vault:
            browser = Browser(vault.url)
            browser.sign_in()
            page = next(page for _ in range(9) if (page := browser.get("/")).status != 200)

        assert page.status == 429
        assert "Wait a little" in page.said
        assert int(page.headers["RateLimit-Limit"]) == 4

    def test_of_wrong_tokens_are_told_on_a_page(self, tmp_path: Path) -> None:
        with RunningVault(tmp_path / "data") as vault:
            browser = Browser(vault.url)
            asked = browser.get("/-/sign_in")
            said = (browser.submit(asked, "/-/sign_in", token="glpat-wrong") for _ in range(99))
            page = next(page for page in said if page.status != 401)

        assert page.status == 429
        assert "Wait a little" in page.said
        assert int(page.headers["Retry-After"]) > 0


class TestParts:
    def test_of_a_project_are_offered_to_those_who_may_open_them(
        self, vault: RunningVault, project: dict[str, Any], browser: Browser
    ) -> None:
        home = f"/-/projects/{project['id']}"
        developer = Browser(vault.url)
        developer.sign_in(str(vault.member(project["id"], 30).token))

        assert "Uploads" in browser.get(home).links
        page = developer.get(home)
        assert "Uploads" not in page.links
        assert all(developer.get(page.links[name]).status == 200 for name in ("Findings", "Artifacts", "Activity"))


class TestStyle:
    def test_has_an_address_that_says_what_it_holds(self, browser: Browser) -> None:
        found = re.search(r'href="(/-/static/style\.css\?[0-9a-f]{8})"', browser.get("/").text)

        assert found
        assert browser.get(found[1]).status == 200


class TestArtifacts:
    def test_of_jobs_are_listed_whether_they_left_any_or_not(
        self, vault: RunningVault, project: dict[str, Any], browser: Browser
    ) -> None:
        _, job = vault.job(vault.root, project["id"], name="build")
        left = {"file": ("artifacts.zip", archive({"a.txt": b"x"}))}
        assert job.post(f"/jobs/{job.get('/job').json['id']}/artifacts", files=left).status == 201
        vault.job(vault.root, project["id"], name="left-nothing")

        page = browser.get(f"/-/projects/{project['id']}/jobs")

        assert page.status == 200
        assert "artifacts.zip" in page.links
        assert "left-nothing" in page.said


class TestActivity:
    def test_shows_who_did_what(self, vault: RunningVault, project: dict[str, Any], browser: Browser) -> None:
        vault.root.upload(project["id"], "a.cer", b"x")

        page = browser.get(f"/-/projects/{project['id']}/activity")

        assert page.status == 200
        assert "Administrator" in page.said
        assert "secure file" in page.said


class TestSessions:
    def test_begin_with_a_good_token_alone(self, vault: RunningVault) -> None:
        browser = Browser(vault.url)

        page = browser.sign_in("glpat-wrong")

        assert page.status == 401
        assert "That is no token of this vault." in page.said
        assert browser.get("/").url.startswith(f"{vault.url}/-/sign_in")

    def test_lead_back_to_the_page_that_was_asked_for_and_nowhere_else(
        self, vault: RunningVault, project: dict[str, Any]
    ) -> None:
        path = f"/-/projects/{project['id']}/findings"

        assert Browser(vault.url).sign_in(to=path).url == vault.url + path
        assert Browser(vault.url).sign_in(to="//evil.example").url == f"{vault.url}/"

    def test_end_for_whoever_kept_the_cookie(self, vault: RunningVault, browser: Browser) -> None:
        thief = Browser(vault.url)
        thief.session.cookies.update(browser.session.cookies)
        assert thief.get("/").url == f"{vault.url}/"

        browser.submit(browser.get("/"), "/-/sign_out")

        assert thief.get("/").url.startswith(f"{vault.url}/-/sign_in")

    def test_take_no_session_that_was_planted(self, vault: RunningVault) -> None:
        browser = Browser(vault.url)
        browser.session.cookies.set("secure_files_session", "planted", domain="127.0.0.1", path="/")

        browser.sign_in()

        assert "planted" not in browser.session.cookies.values()

    def test_take_no_form_of_another_site(self, vault: RunningVault, project: dict[str, Any], browser: Browser) -> None:
        home = f"/-/projects/{project['id']}"
        page = browser.get(home)
        good = page.forms[f"{home}/files"]["authenticity_token"]
        files = {"file": ("a.cer", b"x")}

        without = browser.post(f"{home}/files", {}, files=files)
        foreign = browser.post(
            f"{home}/files", {"authenticity_token": good}, files=files, headers={"Sec-Fetch-Site": "cross-site"}
        )

        assert (without.status, foreign.status) == (403, 403)
        assert vault.root.get(f"/projects/{project['id']}/secure_files").json == []

    def test_of_a_token_that_may_only_read_offer_no_changes(self, vault: RunningVault, project: dict[str, Any]) -> None:
        reader = Browser(vault.url)
        reader.sign_in(str(vault.member(project["id"], 40, "read_api").token))
        home = f"/-/projects/{project['id']}"

        page = reader.get(home)

        assert f"{home}/files" not in page.forms
        assert reader.post(f"{home}/files", {}).status == 403

    def test_give_a_cookie_that_no_script_can_read(self, vault: RunningVault, browser: Browser) -> None:
        cookie = next(iter(browser.session.cookies))

        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "Lax"
