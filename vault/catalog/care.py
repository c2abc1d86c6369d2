"""SQL of what keeps the vault in order: leases, marks of damage, orphans, and who refers to an object."""

from __future__ import annotations

from vault.catalog.families import FAMILIES

# One statement, so that of two processes that ask at once exactly one is told that it has the lease.
TAKE_LEASE = """INSERT INTO leases (name, holder, until) VALUES (:name, :holder, :until)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE leases.until <= :now
    RETURNING name"""
RENEW_LEASE = """UPDATE leases SET until = :until WHERE name = :name AND holder = :holder AND until > :now
    RETURNING name"""
END_LEASE = "DELETE FROM leases WHERE name = :name AND holder = :holder"
LEASE = "SELECT holder, until FROM leases WHERE name = :name AND until > :now"

# Its lease is held while a backup copies what its copy of the catalog names: until its end nothing of that may go.
BACKUP = "backup"

DAMAGE = "SELECT subject, found_at FROM damage WHERE kind = :kind"
MARK_DAMAGE = """INSERT INTO damage (kind, subject, problem, found_at) VALUES (:kind, :subject, :problem, :now)
    ON CONFLICT (kind, subject) DO UPDATE SET problem = excluded.problem"""
UNMARK_DAMAGE = "DELETE FROM damage WHERE kind = :kind AND subject = :subject"

ANY_STORED_BLOB = "SELECT id FROM blobs WHERE sealed IS NULL LIMIT 1"
ORPHANS = "SELECT blob_id, found_at FROM orphans"
NOTE_ORPHAN = """INSERT INTO orphans (blob_id, found_at) VALUES (:id, :now) ON CONFLICT (blob_id) DO NOTHING"""
FORGET_ORPHAN = "DELETE FROM orphans WHERE blob_id = :id"
REMOVE_ORPHAN = """INSERT INTO removals (blob_id, noted_at)
    SELECT CAST(:id AS TEXT), CAST(:now AS TEXT) WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE id = :id)
    ON CONFLICT (blob_id) DO NOTHING"""

# What people know an object by: the row of whichever table refers to it.
OWNER_OF = " UNION ALL ".join(
    f"SELECT '{what}' AS what, id, project_id FROM {family} WHERE blob_id = :blob"  # noqa: S608 - made of constants
    for family, what in FAMILIES.items()
)
# Rows that do not say of their object what its envelope says.
DISAGREEING = " UNION ALL ".join(
    f"""SELECT '{what}' AS what, f.id, f.project_id, f.blob_id
    FROM {family} f LEFT JOIN blobs b ON b.id = f.blob_id WHERE b.id IS NULL OR b.family <> '{family}'
    OR b.project_id <> f.project_id OR b.size <> f.size OR b.sha256 <> f.checksum"""  # noqa: S608
    for family, what in FAMILIES.items()
)
# Envelopes that no row refers to: both come and go in one transaction.
_OWNED = " OR ".join(f"EXISTS (SELECT 1 FROM {family} f WHERE f.blob_id = b.id)" for family in FAMILIES)  # noqa: S608
UNOWNED = f"SELECT b.id FROM blobs b WHERE NOT ({_OWNED})"  # noqa: S608

COUNT_DOCUMENTS = "SELECT COUNT(*) AS n FROM secure_files"
DOCUMENTS = """SELECT id, project_id, name, checksum, created_at, expires_at, document FROM secure_files
    WHERE id > :after ORDER BY id LIMIT :limit"""
