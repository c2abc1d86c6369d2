"""Notices as issues of a GitLab project: one issue for each file that expires, and a comment for each later notice.

https://docs.gitlab.com/api/issues/, https://docs.gitlab.com/api/notes/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from server.notify.http import NotDelivered, post
from server.notify.messages import WHAT_TO_DO, expires, title
from server.reports.markdown import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vault.notices import Notice


class Issue:
    """Opens an issue, due on the day the file expires; its number is the reference by which later ones find it."""

    together = 1

    def __init__(self, options: Mapping[str, Any]) -> None:
        root = options["url"].rstrip("/").removesuffix("/api/v4")
        self._issues = f"{root}/api/v4/projects/{quote(options['project'], safe='')}/issues"
        self._headers = {"PRIVATE-TOKEN": options["token"]}
        self._labels = ",".join(options.get("labels", ()))

    def deliver(self, notices: Sequence[Notice], reference: str | None) -> str:
        """Open or comment on the issue of the one notice and return its number. Raises `NotDelivered`."""
        (notice,) = notices
        if reference is not None:
            try:
                post(f"{self._issues}/{reference}/notes", {"body": self._told(notice)}, self._headers)
            except NotDelivered as error:
                if error.status != 404:
                    raise
            else:
                return reference
        return self._open(notice)

    def _open(self, notice: Notice) -> str:
        issue = {
            "title": title([notice])[:255],
            "description": f"{self._told(notice)}\n\n{WHAT_TO_DO}",
            "due_date": notice.file.expires_at[:10],
        }
        made = post(self._issues, issue | ({"labels": self._labels} if self._labels else {}), self._headers)
        if not isinstance(made, dict) or not isinstance(made.get("iid"), int):
            raise NotDelivered("no issue came back: is it the address of a GitLab?")
        return str(made["iid"])

    @staticmethod
    def _told(notice: Notice) -> str:
        file = notice.file
        return f"**{text(file.name)}** of {text(file.project)} {expires(notice)}, at {file.expires_at}."
