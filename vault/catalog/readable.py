"""SQL of the secure files of all projects that one caller may read, the soonest to expire first.

The statements differ by what is asked, not by the engine: a condition that may be absent (`:name IS NULL OR …`) keeps
an engine from using an index, and among a million files that is the difference between a millisecond and a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from vault.catalog.reach import FEW, IS_MINE, SPACES, mine
from vault.catalog.secure_files import PROJECT_PATH

_LAST_IF_NEVER = "CASE WHEN f.expires_at IS NULL THEN 1 ELSE 0 END"
_MINE = f"WITH {SPACES}, mine(id) AS ({mine()})"
_ALL_OF_MINE = "mine"
# The number stands in the text, where an engine that plans ahead sees it.
_FEW_OF_MINE = f"(SELECT id FROM mine LIMIT {FEW})"  # noqa: S608 - made of constants

REACH = f"{_MINE} SELECT COUNT(*) AS n FROM (SELECT id FROM mine LIMIT {FEW} + 1) AS counted"  # noqa: S608
"""How many projects the caller reaches; of more than `FEW` only that there are more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which of them: those of all projects (`everything`), or of those in which the caller has the level.

    `few`: `REACH` found no more than `FEW` projects. `of_job`: of the project `:job_project` alone. `named`: of the
    name `:name`. `dated`: that expire before `:before`.
    """

    everything: bool
    few: bool
    of_job: bool
    named: bool = False
    dated: bool = False

    @property
    def conditions(self) -> str:
        """What every one of them fulfils, but for the caller's level."""
        asked = (
            (" AND f.project_id = :job_project", self.of_job),
            (" AND f.name = :name", self.named),
            (" AND f.expires_at < :before", self.dated),
        )
        return "".join(condition for condition, wanted in asked if wanted)


@cache
def count(asked: Asked) -> str:
    """Return the statement that counts the files up to `:most`."""
    # Counted along an index that is small and has all that is asked for.
    along = " ORDER BY f.expires_at, f.id" if asked.everything and not (asked.named or asked.of_job) else ""
    return f"""{_head(asked)} SELECT COUNT(*) AS n FROM (
        SELECT 1 AS one FROM {_taken(asked)}{along} LIMIT :most) AS counted"""  # noqa: S608 - made of constants


@cache
def page(asked: Asked, *, many: bool) -> str:
    """Return the statement for one page of them, with each project's path as `project`.

    Of `many` the engine goes through all files in their order until it has the page, and asks of each whether it is
    one; of few, which are no more than `:most`, it finds those and sorts their ids.
    """
    columns = f"f.*, {PROJECT_PATH}"
    order = f"ORDER BY {'' if asked.dated else f'{_LAST_IF_NEVER}, '}f.expires_at, f.id"
    part = f"{order} LIMIT :size OFFSET :offset"
    if asked.everything:
        return f"SELECT {columns} FROM {_taken(asked)} {part}"  # noqa: S608 - made of constants
    if many:
        return f"""WITH {SPACES} SELECT {columns} FROM secure_files f WHERE EXISTS (
            SELECT 1 FROM projects p WHERE p.id = f.project_id AND {IS_MINE}){asked.conditions}
            {part}"""  # noqa: S608 - made of constants
    # The limit takes nothing away; it keeps an engine from finding them in the order asked for.
    return f"""{_MINE} SELECT {columns} FROM (
        SELECT f.id FROM (SELECT f.id, f.expires_at FROM {_taken(asked)} LIMIT :most) AS f {part}) AS found
        CROSS JOIN secure_files f WHERE f.id = found.id {order}"""  # noqa: S608 - made of constants


@cache
def expiring(asked: Asked) -> str:
    """Return the statement for all of them that ever expire."""
    return f"""{_head(asked)} SELECT f.id, f.project_id, {PROJECT_PATH}, f.name, f.kind, f.expires_at
        FROM {_taken(asked)} AND f.expires_at IS NOT NULL
        ORDER BY f.expires_at, f.id"""  # noqa: S608 - made of constants


def _head(asked: Asked) -> str:
    return "" if asked.everything else _MINE


def _taken(asked: Asked) -> str:
    """Return the tables and conditions that take the files, for who reaches some projects from those projects."""
    if asked.everything:
        return f"secure_files f WHERE 1 = 1{asked.conditions}"
    taken = _FEW_OF_MINE if asked.few else _ALL_OF_MINE
    return f"{taken} AS reached CROSS JOIN secure_files f WHERE f.project_id = reached.id{asked.conditions}"
