"""SQL of how far a caller reaches: the projects in which `:user` has at least `:level` on the day `:today`."""

from __future__ import annotations

_GOOD = "m.user_id = :user AND m.access_level >= :level AND (m.expires_at IS NULL OR m.expires_at > :today)"
FEW = 100
"""Up to so many projects are looked up one by one. An engine would guess hundreds for any caller, and read all rows."""
SPACES = f"""spaces(id) AS MATERIALIZED (
    SELECT n.id FROM namespaces n WHERE n.kind = 'user' AND n.owner_id = :user
    UNION SELECT m.source_id FROM members m WHERE m.source_kind = 'group' AND {_GOOD}
    UNION SELECT n.id FROM members m JOIN namespaces g ON g.id = m.source_id
        JOIN namespaces n ON n.path_key > g.path_key || '/' AND n.path_key < g.path_key || '0'
        WHERE m.source_kind = 'group' AND {_GOOD})"""  # noqa: S608 - made of constants
"""The namespaces whose projects are all within reach: his own, and groups of which, or of a group above which, he is a
member. What is below a group begins with its path and a slash; a zero is what follows a slash."""
IS_MINE = f"""(p.namespace_id IN (SELECT id FROM spaces) OR EXISTS (SELECT 1 FROM members m
    WHERE m.source_kind = 'project' AND m.source_id = p.id AND {_GOOD}))"""  # noqa: S608 - made of constants
"""Whether a project `p` is within reach: quick for some rows, as `mine` is for some projects."""


def mine(conditions: str = "") -> str:
    """Return a statement of the ids of all projects within reach that fulfil `conditions` on `p`, each once.

    A project lies in one namespace, so nothing has to be compared with all the others; the order of the join is said
    since an engine without figures takes the other one.
    """
    return f"""SELECT p.id FROM spaces s CROSS JOIN projects p WHERE p.namespace_id = s.id{conditions}
        UNION ALL SELECT p.id FROM members m JOIN projects p ON p.id = m.source_id
        WHERE m.source_kind = 'project' AND {_GOOD}
        AND p.namespace_id NOT IN (SELECT id FROM spaces){conditions}"""  # noqa: S608 - made of constants
