"""How reads grow: the same questions at two sizes, over HTTP and to the catalog alone, on SQLite and PostgreSQL.

`python -m benchmarks.scale` compares 1,000 files with 20,000; `--rows 10000 1000000` are the sizes of docs/scaling.md
(two minutes and 2 GB of disk each engine). PostgreSQL is one of its own (Debian's `postgresql`). Small and large are
asked by turns, so that whatever else the machine does meets both. A question that takes twice as long at the larger
size, or reads a whole table for it, is shown with its plan; `--plans` shows all.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from tests.harness import RunningVault
from tests.postgres import programs, running
from vault.access import Access
from vault.catalog.recent import Known
from vault.models import Limits, Page, Principal, Role, User
from vault.people import People
from vault.projects import Projects
from vault.secure_files import SecureFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.catalog.database import Database, Row

    Ask = Callable[[], object]

LARGEST_RATIO = 2
PER_PROJECT, PROJECTS_PER_GROUP, SOON = 100, 100, 200
AT_ONCE = 20_000
SOON_BEFORE = "2027-01-01T00:00:00.000Z"
NOW = "2026-01-01T00:00:00.000Z"

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT CAST(:first AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < :last)"
KEY = "SELECT id FROM master_keys"
MEMBER = """INSERT INTO members (source_kind, source_id, user_id, access_level, created_at)
    VALUES (:kind, :source, :user, 30, :now)"""
GROUP = """INSERT INTO namespaces
    (kind, name, path, full_path, path_key, parent_id, visibility, description, created_at)
    VALUES ('group', :name, :name, :path, :path, :parent, 'private', '', :now) RETURNING id"""
ADD_PROJECTS = f"""INSERT INTO projects (namespace_id, name, path, full_path, path_key, description, default_branch,
    visibility, archived, settings, created_at, last_activity_at) {NUMBERS}
    SELECT CAST(:group_id AS BIGINT), 'app-' || i, 'app-' || i, :above || '/app-' || i, :above || '/app-' || i, '',
    'main', 'private', 0, '{{}}', CAST(:now AS TEXT), CAST(:now AS TEXT) FROM n"""
ADD_BLOBS = f"""INSERT INTO blobs (id, family, project_id, size, sha256, alg, first_kek_id, kek_id, wrapped, commitment,
    created_at) {NUMBERS}
    SELECT 'blob-' || i, 'secure_files', (i - 1) / {PER_PROJECT} + 1, 3000, 'sha', 1, :kek, :kek, :bytes,
    :bytes, CAST(:now AS TEXT) FROM n"""
# In every size the same number expires soon; one in ten never does, the others in the years after.
ADD_FILES = f"""INSERT INTO secure_files (project_id, name, blob_id, checksum, size, expires_at, kind, created_at,
    updated_at, document) {NUMBERS}
    SELECT (i - 1) / {PER_PROJECT} + 1, 'file-' || i || '.p12', 'blob-' || i, 'sha', 3000,
    CASE WHEN i % :every = 0 THEN '2026-0' || (1 + i % 9) || '-01T00:00:00.000Z' WHEN i % 10 = 3 THEN NULL
         ELSE '20' || (30 + i % 10) || '-0' || (1 + i % 7) || '-1' || (i % 9) || 'T00:00:00.000Z' END,
    'pkcs12', CAST(:now AS TEXT), CAST(:now AS TEXT), :document FROM n"""
DOCUMENT = '"name":"file.p12","checksum":"' + "0" * 64 + '","metadata":{"subject":{"CN":"' + "x" * 300 + '"}}}'


@dataclass
class Question:
    """One question, to the catalog's services and over HTTP."""

    catalog: Ask
    http: Ask


@dataclass
class Recorder:
    """Remembers the statements that a question puts to the catalog, with their parameters."""

    database: Database
    asked: dict[str, dict[str, Any]]

    def query(self, sql: str, /, **params: Any) -> list[Row]:
        self.asked[sql] = params
        return self.database.query(sql, **params)

    def known(self) -> Known:
        """Return an empty place, so that the engine is asked each time."""
        return Known()


class Caller:
    """Somebody who asks, of the services and over HTTP."""

    def __init__(self, filled: Filled, user: User) -> None:
        self.principal = Principal(user=user, scopes=frozenset(("api",)))
        _, token = filled.vault.services.tokens.create(user, "scale", ("api",), None, None)
        self._session, self._url = requests.Session(), f"{filled.vault.url}/api/v4"
        self._session.headers["PRIVATE-TOKEN"] = token

    def get(self, path: str) -> None:
        """Ask for it and look that there is an answer."""
        answer = self._session.get(self._url + path, timeout=60)
        if answer.status_code != 200:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text}")


class Filled:
    """A catalog with so many files, and the questions that are put to it."""

    def __init__(self, vault: RunningVault, files: int) -> None:
        self.vault, self.database, self.files = vault, vault.services.database, files
        self.projects = files // PER_PROJECT
        self.recorder = Recorder(self.database, {})
        self._fill()
        projects = Projects(self.recorder)  # type: ignore[arg-type]
        self._projects, self._access = projects, Access(self.recorder, projects)  # type: ignore[arg-type]
        self._secure_files = SecureFiles(self.recorder, None, None, Limits())  # type: ignore[arg-type]

    def questions(self) -> dict[str, Question]:
        """Return what is asked, under the names of the table; each call is about another project or file."""
        files, first = self._secure_files, Page()
        admin, few, everywhere = (Caller(self, user) for user in (self.admin, self.few, self.everywhere))
        asked: dict[str, tuple[Ask, Ask]] = {
            "list of a project": (
                lambda: files.documents(self._any_project(), first),
                lambda: admin.get(f"/projects/{self._any_project()}/secure_files"),
            ),
            "one file": (
                lambda: files.get(*self._any_file()),
                lambda: admin.get("/projects/{}/secure_files/{}".format(*self._any_file())),
            ),
            "project by its path": (
                lambda: self._access.project(everywhere.principal, self._any_path(), Role.DEVELOPER),
                lambda: everywhere.get(f"/projects/{quote(self._any_path(), safe='')}"),
            ),
            "expiry report, 200 rows": (
                lambda: files.expiring(SOON_BEFORE),
                lambda: admin.get(f"/secure_files?per_page=100&expires_before={SOON_BEFORE}"),
            ),
            "across projects, by name": (
                lambda: files.readable(admin.principal, first, name=f"file-{self._any()}.p12"),
                lambda: admin.get(f"/secure_files?name=file-{self._any()}.p12"),
            ),
        }
        for who, caller in (("administrator", admin), ("member of 3", few), ("member of all", everywhere)):
            asked[f"across projects, {who}"] = self._across(caller)
            asked[f"projects, {who}"] = self._of_projects(caller)
            asked[f"projects by search, {who}"] = self._by_search(caller)
        return {name: Question(*both) for name, both in asked.items()}

    def _across(self, caller: Caller) -> tuple[Ask, Ask]:
        return (
            lambda: self._secure_files.readable(caller.principal, Page()),
            lambda: caller.get("/secure_files"),
        )

    def _of_projects(self, caller: Caller) -> tuple[Ask, Ask]:
        return lambda: self._projects.find(caller.principal, Page()), lambda: caller.get("/projects")

    def _by_search(self, caller: Caller) -> tuple[Ask, Ask]:
        return (
            lambda: self._projects.find(caller.principal, Page(), search=self._term()),
            lambda: caller.get(f"/projects?search={self._term()}"),
        )

    def _fill(self) -> None:
        people = People(self.database)
        self.admin = people.administrator() or people.create("admin", "Admin", "admin@example.com", is_admin=True)
        self.few, self.everywhere = (people.create(name, name, f"{name}@example.com") for name in ("few", "everywhere"))
        kek = self.database.query(KEY)[0]["id"]
        top = self._group("big", None)
        for number in range(-(-self.projects // PROJECTS_PER_GROUP)):
            first = number * PROJECTS_PER_GROUP + 1
            group = self._group(f"g{number}", top)
            last = min(first + PROJECTS_PER_GROUP - 1, self.projects)
            self._write(ADD_PROJECTS, first=first, last=last, group_id=group, above=f"big/g{number}")
        self._write(MEMBER, kind="group", source=top, user=self.everywhere.id)
        for project in random.sample(range(1, self.projects + 1), 3):
            self._write(MEMBER, kind="project", source=project, user=self.few.id)
        for first in range(1, self.files + 1, AT_ONCE):
            last = min(first + AT_ONCE - 1, self.files)
            self._write(ADD_BLOBS, first=first, last=last, kek=kek, bytes=bytes(60))
            self._write(ADD_FILES, first=first, last=last, every=self.files // SOON, document=DOCUMENT)

    def _group(self, name: str, parent: int | None) -> int:
        path = name if parent is None else f"big/{name}"
        return int(self._write(GROUP, name=name, path=path, parent=parent)[0]["id"])

    def _write(self, sql: str, **params: Any) -> list[Row]:
        wanted = {**params, "now": NOW}
        return self.database.write(lambda tx: tx.query(sql, **{k: v for k, v in wanted.items() if f":{k}" in sql}))

    def _any(self) -> int:
        return random.randint(1, self.files)

    def _any_project(self) -> int:
        return random.randint(1, self.projects)

    def _term(self) -> str:
        return f"app-{self._any_project()}"

    def _any_path(self) -> str:
        project = self._any_project()
        return f"big/g{(project - 1) // PROJECTS_PER_GROUP}/app-{project}"

    def _any_file(self) -> tuple[int, int]:
        file = self._any()
        return (file - 1) // PER_PROJECT + 1, file

    def plans(self, question: Question) -> list[str]:
        """Return how the engine goes about each statement of the question."""
        self.recorder.asked.clear()
        question.catalog()
        word = "EXPLAIN QUERY PLAN" if self.database.reads_are_quick else "EXPLAIN"
        rows = [self.database.query(f"{word} {sql}", **params) for sql, params in self.recorder.asked.items()]
        return ["\n".join(str(list(row.values())[-1]) for row in plan) for plan in rows]


def reads_a_table(line: str) -> bool:
    """Say whether a line of a plan is a table of files or projects without an index."""
    of_sqlite = line.startswith(("SCAN f", "SCAN secure_files", "SCAN p", "SCAN projects")) and " USING " not in line
    return of_sqlite or "Seq Scan on secure_files" in line or "Seq Scan on projects" in line


def medians(small: Ask, large: Ask, rounds: int) -> tuple[float, float]:
    """Return the median times of two calls that are made by turns, in milliseconds, after some that do not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 5):
        for ask, taken in zip((small, large), times, strict=True):
            start = time.perf_counter()
            ask()
            if number >= 5:
                taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])


def report(engine: str, sizes: list[Filled], rounds: int, *, with_plans: bool) -> None:
    """Print the table of one engine."""
    small, large = sizes
    print(f"\n{engine}: {small.files:,} files in {small.projects:,} projects, {large.files:,} in {large.projects:,}\n")
    print(f"| {'':34} |  HTTP ms |    large | ratio | catalog ms |    large | ratio |")
    print(f"| {'-' * 34} | -------: | -------: | ----: | ---------: | -------: | ----: |")
    plans = {}
    before, after = small.questions(), large.questions()
    for name in before:
        http = medians(before[name].http, after[name].http, rounds)
        catalog = medians(before[name].catalog, after[name].catalog, rounds)
        ratios = http[1] / http[0], catalog[1] / catalog[0]
        print(f"| {name:34} | {http[0]:8.2f} | {http[1]:8.2f} | {ratios[0]:5.2f} ", end="")
        print(f"| {catalog[0]:10.3f} | {catalog[1]:8.3f} | {ratios[1]:5.2f} |", flush=True)
        found = large.plans(after[name])
        reads_all = any(reads_a_table(line) for plan in found for line in plan.split("\n"))
        if with_plans or max(ratios) > LARGEST_RATIO or reads_all:
            plans[name] = found
    for name, found in plans.items():
        print(f"\n{name}:", *found, sep="\n")


def filled(folder: Path, files: int, stack: ExitStack, **settings: Any) -> Filled:
    """Return a vault that serves, with so many files in its catalog."""
    start = time.monotonic()
    found = Filled(stack.enter_context(RunningVault(folder / str(files), **settings)), files)
    print(f"filled with {files:,} files in {time.monotonic() - start:.0f} s", flush=True)
    return found


def main() -> None:
    """Ask a small catalog and a large one the same questions, on each engine that is here, and print both times."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, nargs=2, default=[1_000, 20_000], metavar=("SMALL", "LARGE"))
    options.add_argument("--rounds", type=int, default=60)
    options.add_argument("--plans", action="store_true")
    chosen = options.parse_args()
    random.seed(9)
    for engine in ("SQLite", "PostgreSQL"):
        if engine == "PostgreSQL" and programs() is None:
            print("PostgreSQL is left out: there is none here")
            continue
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scale-")))
            server = stack.enter_context(running()) if engine == "PostgreSQL" else None
            sizes = []
            for number in chosen.rows:
                settings = {"database": server.database()} if server else {}
                sizes.append(filled(folder, number, stack, **settings))
                if server:
                    server.sql("VACUUM ANALYZE", settings["database"].rpartition("/")[2])
            report(engine, sizes, chosen.rounds, with_plans=chosen.plans)


if __name__ == "__main__":
    main()
