"""SQL of the projects that one caller may know of, the newest first.

As in `vault/catalog/readable.py` the statements differ by what is asked, so that indexes are of use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from vault.catalog.reach import SPACES, mine

_PRIVATE = " AND p.visibility = 'private'"
# The condition is the index's own.
_OPEN = "p.visibility <> 'private'"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which of them: all of the vault (`everything`), his own alone (`membership`), or his and those open to all.

    `owned`: made by `:user`. `of_visibility`: `:visibility`. `matching`: with `:term` in the path.
    """

    everything: bool
    membership: bool
    owned: bool
    of_visibility: bool
    matching: bool

    @property
    def conditions(self) -> str:
        """What every one of them fulfils, whoever asks."""
        asked = (
            (" AND p.creator_id = :user", self.owned),
            (" AND p.visibility = :visibility", self.of_visibility),
            (" AND p.path_key LIKE :term ESCAPE '!'", self.matching),
        )
        return "".join(condition for condition, wanted in asked if wanted)


@cache
def count(asked: Asked) -> str:
    """Return the statement that counts the projects up to `:most`."""
    head, ids = _ids(asked)
    return f"WITH {head}found(id) AS ({ids} LIMIT :most) SELECT COUNT(*) AS n FROM found"  # noqa: S608


@cache
def page(asked: Asked) -> str:
    """Return the statement for one page of them, each with how many there are, as `n`.

    Of what matches in all of the vault no more than `:most` are found; if it was so many, `newest` is to be asked.
    """
    if asked.everything and not asked.matching:
        return newest(asked)
    head, ids = _ids(asked)
    # Found once, which is written down since an engine may think it better to go through all projects in their order.
    fence = " LIMIT :most" if asked.everything else ""
    return f"""WITH {head}found(id) AS MATERIALIZED ({ids}{fence})
        SELECT p.*, (SELECT COUNT(*) FROM found) AS n
        FROM (SELECT id FROM found ORDER BY id DESC LIMIT :size OFFSET :offset) AS shown
        CROSS JOIN projects p WHERE p.id = shown.id ORDER BY p.id DESC"""  # noqa: S608 - made of constants


@cache
def newest(asked: Asked) -> str:
    """Return the same for all of the vault, by going through the newest, which of many soon has the page."""
    _, ids = _ids(asked)
    return f"""SELECT p.*, (SELECT COUNT(*) FROM ({ids} LIMIT :most) AS counted) AS n
        FROM projects p WHERE 1 = 1{asked.conditions}
        ORDER BY p.id DESC LIMIT :size OFFSET :offset"""  # noqa: S608 - made of constants


def _ids(asked: Asked) -> tuple[str, str]:
    """Return the tables before, and the statement of their ids, each once."""
    if asked.everything:
        # In the order of an index that has all that is asked for, and is smaller than the table.
        along = "" if asked.owned or asked.of_visibility else " ORDER BY p.namespace_id"
        return "", f"SELECT p.id FROM projects p WHERE 1 = 1{asked.conditions}{along}"  # noqa: S608
    if asked.membership:
        return f"{SPACES}, ", mine(asked.conditions)
    # Of those that everybody may see only the newest can be on the page.
    open_ones = f"SELECT p.id FROM projects p WHERE {_OPEN}{asked.conditions} ORDER BY p.id DESC LIMIT :most"  # noqa: S608
    his = mine(_PRIVATE + asked.conditions)
    return f"{SPACES}, ", f"{his} UNION ALL SELECT open_one.id FROM ({open_ones}) AS open_one"  # noqa: S608
