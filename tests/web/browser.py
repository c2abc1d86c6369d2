"""A browser without scripts: keeps cookies, follows redirects, and fills in the forms of a page."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import requests

from tests.harness import ROOT_TOKEN


class Page(HTMLParser):
    """A page's text, links and forms; the fields of a form by its address."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__()
        self.status, self.url, self.headers = response.status_code, response.url, response.headers
        self.text = response.text
        self.words: list[str] = []
        self.links: dict[str, str] = {}
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] | None = None
        self._link = ""
        if "html" in response.headers.get("Content-Type", ""):
            self.feed(response.text)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = self.forms.setdefault(found.get("action", ""), {})
        elif tag == "input" and self._form is not None and "name" in found:
            self._form[found["name"]] = found.get("value", "")
        elif tag == "a":
            self._link = found.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "a":
            self._link = ""

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._link and data.strip():
            self.links[data.strip()] = self._link


class Browser:
    """One person's browser at one vault."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def get(self, path: str, **more: Any) -> Page:
        return Page(self.session.get(self.url + path, timeout=30, **more))

    def post(self, path: str, data: dict[str, str], **more: Any) -> Page:
        """Send a form as it is given, from a page of this vault."""
        headers = {"Sec-Fetch-Site": "same-origin", **more.pop("headers", {})}
        return Page(self.session.post(self.url + path, data=data, headers=headers, timeout=30, **more))

    def submit(self, page: Page, action: str, files: dict[str, tuple[str, bytes]] | None = None, **fields: str) -> Page:
        """Fill a form of a page in and send it with what it hides."""
        known = {name: value for name, value in page.forms[action].items() if name != "file"}
        return self.post(action, {**known, **fields}, **({"files": files} if files else {}))

    def sign_in(self, token: str = ROOT_TOKEN, to: str = "/") -> Page:
        return self.submit(self.get(f"/-/sign_in?to={to}"), "/-/sign_in", token=token)
