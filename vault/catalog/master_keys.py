"""SQL of the master keys: which the rows need, how often each was used, and moving rows from one to another."""

from __future__ import annotations

from vault.catalog.families import FAMILIES

MASTER_KEYS = 'SELECT id, "check" AS key_check, created_at FROM master_keys ORDER BY created_at, id'
ADD_MASTER_KEY = """INSERT INTO master_keys (id, "check", created_at) VALUES (:id, :key_check, :now)
    ON CONFLICT (id) DO NOTHING"""
FILL_IN_CHECK = """UPDATE master_keys SET "check" = :key_check, created_at = :now WHERE id = :id AND "check" = ''"""
# Refused, by the foreign key, while a row names it: also one that another transaction is adding at this moment.
FORGET_MASTER_KEY = "DELETE FROM master_keys WHERE id = :id"
COUNT_USES = "UPDATE master_keys SET uses = uses + :uses WHERE id = :id RETURNING uses"

PEPPER = "SELECT kek_id, wrapped FROM peppers"
SET_PEPPER = "INSERT INTO peppers (kek_id, wrapped) VALUES (:kek_id, :wrapped)"
FORGET_PEPPER = "DELETE FROM peppers"

FILES_BY_KEY = "SELECT kek_id, COUNT(*) AS n FROM blobs GROUP BY kek_id"
FILES_OF_KEY = "SELECT COUNT(*) AS n FROM blobs WHERE kek_id = :id"

_UNDER_OTHERS = "(kek_id IS NULL OR kek_id <> :primary)"
TO_REWRAP = f"SELECT COUNT(*) AS n FROM blobs WHERE {_UNDER_OTHERS}"  # noqa: S608 - made of constants
NEXT_TO_REWRAP = f"""SELECT id, family, project_id, size, sha256, alg, kek_id, wrapped, commitment, created_at,
    NULL AS sealed FROM blobs WHERE id > :after AND {_UNDER_OTHERS} ORDER BY id LIMIT :limit"""  # noqa: S608
# Nothing when another run, a delete or a replacement was quicker.
REWRAP = "UPDATE blobs SET kek_id = :kek_id, wrapped = :new WHERE id = :id AND wrapped = :old RETURNING id"

# Whose data key was ever under another master key than the present one.
_SEALED_BEFORE = f"(first_kek_id <> :primary OR {_UNDER_OTHERS})"
TO_REENCRYPT = f"SELECT COUNT(*) AS n FROM blobs WHERE {_SEALED_BEFORE}"  # noqa: S608
NEXT_TO_REENCRYPT = f"""SELECT id FROM blobs WHERE id > :after AND {_SEALED_BEFORE}
    ORDER BY id LIMIT :limit"""  # noqa: S608
REPOINT = {
    family: f"UPDATE {family} SET blob_id = :new WHERE blob_id = :old RETURNING id"  # noqa: S608
    for family in FAMILIES
}
"""How each family's row, found by the object it has, gets another one of the same content."""
