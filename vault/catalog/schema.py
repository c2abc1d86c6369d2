"""The tables of the catalog, as migrations that every engine applies in order, each once.

The few types that engines name differently stand in braces: `{ID}` an ever-growing integer primary key whose values
are never given out twice, `{INT}` a 64-bit integer, `{BLOB}` bytes. Everything else is text.
"""

from __future__ import annotations

from typing import NamedTuple


class Migration(NamedTuple):
    """One step of the schema: a name that is remembered, and statements that run in one transaction."""

    name: str
    statements: tuple[str, ...]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        "0001_core",
        (
            "CREATE TABLE instance (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
            # Which master keys the rows need: compared with the keyring at start.
            'CREATE TABLE master_keys (id TEXT PRIMARY KEY, "check" TEXT NOT NULL, created_at TEXT NOT NULL)',
            """CREATE TABLE users (
                id {ID}, username TEXT NOT NULL, username_key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
                email TEXT NOT NULL, state TEXT NOT NULL, is_admin {INT} NOT NULL, created_at TEXT NOT NULL)""",
            """CREATE TABLE namespaces (
                id {ID}, kind TEXT NOT NULL, name TEXT NOT NULL, path TEXT NOT NULL, full_path TEXT NOT NULL,
                path_key TEXT NOT NULL UNIQUE, parent_id {INT} REFERENCES namespaces(id),
                owner_id {INT} REFERENCES users(id), visibility TEXT NOT NULL, description TEXT NOT NULL,
                created_at TEXT NOT NULL)""",
            "CREATE INDEX namespaces_parent ON namespaces(parent_id)",
            "CREATE INDEX namespaces_owner ON namespaces(owner_id)",
            """CREATE TABLE projects (
                id {ID}, namespace_id {INT} NOT NULL REFERENCES namespaces(id), name TEXT NOT NULL, path TEXT NOT NULL,
                full_path TEXT NOT NULL, path_key TEXT NOT NULL UNIQUE, description TEXT NOT NULL,
                default_branch TEXT NOT NULL, visibility TEXT NOT NULL, archived {INT} NOT NULL,
                settings TEXT NOT NULL, creator_id {INT}, created_at TEXT NOT NULL, last_activity_at TEXT NOT NULL)""",
            "CREATE INDEX projects_namespace ON projects(namespace_id)",
            """CREATE TABLE members (
                source_kind TEXT NOT NULL, source_id {INT} NOT NULL, user_id {INT} NOT NULL REFERENCES users(id),
                access_level {INT} NOT NULL, expires_at TEXT, created_at TEXT NOT NULL,
                PRIMARY KEY (source_kind, source_id, user_id))""",
            "CREATE INDEX members_user ON members(user_id)",
            """CREATE TABLE tokens (
                id {ID}, user_id {INT} NOT NULL REFERENCES users(id), name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE,
                hint TEXT NOT NULL, scopes TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT,
                revoked {INT} NOT NULL, last_used_at TEXT)""",
            "CREATE INDEX tokens_user ON tokens(user_id)",
            """CREATE TABLE pipelines (
                id {ID}, project_id {INT} NOT NULL, ref TEXT NOT NULL, sha TEXT NOT NULL, status TEXT NOT NULL,
                fixed_status {INT} NOT NULL, parent_id {INT}, user_id {INT} NOT NULL, created_at TEXT NOT NULL,
                updated_at TEXT NOT NULL)""",
            "CREATE INDEX pipelines_ref ON pipelines(project_id, ref, status, id)",
            "CREATE INDEX pipelines_parent ON pipelines(parent_id)",
            """CREATE TABLE jobs (
                id {ID}, project_id {INT} NOT NULL, pipeline_id {INT} NOT NULL, name TEXT NOT NULL, stage TEXT NOT NULL,
                ref TEXT NOT NULL, status TEXT NOT NULL, user_id {INT} NOT NULL, token_digest TEXT NOT NULL UNIQUE,
                failure_reason TEXT, created_at TEXT NOT NULL, started_at TEXT, finished_at TEXT)""",
            "CREATE INDEX jobs_project ON jobs(project_id, id)",
            "CREATE INDEX jobs_pipeline ON jobs(pipeline_id, id)",
            """CREATE TABLE blobs (
                id TEXT PRIMARY KEY, family TEXT NOT NULL, project_id {INT} NOT NULL, size {INT} NOT NULL,
                sha256 TEXT NOT NULL, alg {INT} NOT NULL, kek_id TEXT NOT NULL, wrapped {BLOB} NOT NULL,
                commitment {BLOB} NOT NULL, created_at TEXT NOT NULL, sealed {BLOB})""",
            "CREATE INDEX blobs_kek ON blobs(kek_id, id)",
            # Objects whose row and key are gone and whose bytes are still to be removed from the store.
            "CREATE TABLE removals (blob_id TEXT PRIMARY KEY, noted_at TEXT NOT NULL)",
            """CREATE TABLE secure_files (
                id {ID}, project_id {INT} NOT NULL, name TEXT NOT NULL, blob_id TEXT NOT NULL REFERENCES blobs(id),
                checksum TEXT NOT NULL, size {INT} NOT NULL, expires_at TEXT, metadata_error TEXT, kind TEXT,
                created_at TEXT NOT NULL, updated_at TEXT NOT NULL, document TEXT NOT NULL,
                UNIQUE (project_id, name))""",
            "CREATE INDEX secure_files_newest ON secure_files(project_id, id)",
            # Deleting a blob looks for who refers to it.
            "CREATE UNIQUE INDEX secure_files_blob ON secure_files(blob_id)",
            """CREATE INDEX secure_files_unread ON secure_files(metadata_error, id)
                WHERE metadata_error IS NOT NULL""",
            "CREATE INDEX secure_files_expiry ON secure_files(expires_at, id)",
        ),
    ),
    Migration(
        "0002_uploads_artifacts",
        (
            """CREATE TABLE uploads (
                id {ID}, project_id {INT} NOT NULL, secret_digest TEXT NOT NULL UNIQUE, filename TEXT NOT NULL,
                blob_id TEXT NOT NULL REFERENCES blobs(id), size {INT} NOT NULL, checksum TEXT NOT NULL,
                uploader_id {INT} NOT NULL, created_at TEXT NOT NULL)""",
            "CREATE INDEX uploads_newest ON uploads(project_id, id)",
            "CREATE UNIQUE INDEX uploads_blob ON uploads(blob_id)",
            """CREATE TABLE artifacts (
                id {ID}, project_id {INT} NOT NULL, job_id {INT} NOT NULL REFERENCES jobs(id), file_type TEXT NOT NULL,
                file_format TEXT NOT NULL, filename TEXT NOT NULL, blob_id TEXT NOT NULL REFERENCES blobs(id),
                size {INT} NOT NULL, checksum TEXT NOT NULL, access TEXT NOT NULL, expires_at TEXT,
                created_at TEXT NOT NULL, UNIQUE (job_id, file_type))""",
            "CREATE INDEX artifacts_project ON artifacts(project_id, id)",
            "CREATE INDEX artifacts_expiry ON artifacts(expires_at, id)",
            "CREATE UNIQUE INDEX artifacts_blob ON artifacts(blob_id)",
            # The pipeline at the head of a family of parents and children; nothing for the head itself.
            "ALTER TABLE pipelines ADD COLUMN root_id {INT}",
            """UPDATE pipelines SET root_id = (
                WITH RECURSIVE above(id, parent_id) AS (
                    SELECT p.id, p.parent_id FROM pipelines p WHERE p.id = pipelines.id
                    UNION ALL SELECT p.id, p.parent_id FROM pipelines p JOIN above ON p.id = above.parent_id)
                SELECT above.id FROM above WHERE above.parent_id IS NULL) WHERE parent_id IS NOT NULL""",
            "CREATE INDEX pipelines_root ON pipelines(root_id, id)",
            "CREATE INDEX jobs_name ON jobs(pipeline_id, name, id)",
        ),
    ),
    Migration(
        "0003_repositories",
        (
            """CREATE TABLE repositories (
                project_id {INT} PRIMARY KEY REFERENCES projects(id), folder TEXT NOT NULL UNIQUE,
                empty {INT} NOT NULL, created_at TEXT NOT NULL)""",
            # Folders of deleted projects that are still to be removed from the disk.
            "CREATE TABLE repository_removals (folder TEXT PRIMARY KEY, noted_at TEXT NOT NULL)",
            # Facts of git objects: what is costly to find out and never changes.
            """CREATE TABLE git_blobs (
                project_id {INT} NOT NULL REFERENCES projects(id), blob_id TEXT NOT NULL, size {INT} NOT NULL,
                sha256 TEXT NOT NULL, PRIMARY KEY (project_id, blob_id))""",
            """CREATE TABLE git_last_commits (
                project_id {INT} NOT NULL REFERENCES projects(id), path TEXT NOT NULL, commit_id TEXT NOT NULL,
                last_commit_id TEXT NOT NULL, PRIMARY KEY (project_id, path, commit_id))""",
        ),
    ),
    Migration(
        "0004_notices",
        (
            # Who was told what of a file that expires; goes with the file.
            """CREATE TABLE notices (
                recipient TEXT NOT NULL, file_id {INT} NOT NULL REFERENCES secure_files(id) ON DELETE CASCADE,
                expires_at TEXT NOT NULL, days {INT} NOT NULL, state TEXT NOT NULL, attempts {INT} NOT NULL,
                changed_at TEXT NOT NULL, try_at TEXT NOT NULL, error TEXT, reference TEXT,
                PRIMARY KEY (recipient, file_id, expires_at, days))""",
            "CREATE INDEX notices_file ON notices(file_id)",
            "CREATE INDEX notices_state ON notices(state, try_at) WHERE state <> 'told'",
        ),
    ),
    Migration(
        "0005_master_keys",
        (
            # The key that wraps a data key now, and the one it was first wrapped with: who ever held that one may know
            # it. A row keeps its master key from being retired.
            "ALTER TABLE blobs RENAME COLUMN kek_id TO first_kek_id",
            "ALTER TABLE blobs ADD COLUMN kek_id TEXT REFERENCES master_keys(id)",
            # A key that rows name and nobody noted; the next start fills in its check.
            """INSERT INTO master_keys (id, "check", created_at) SELECT DISTINCT first_kek_id, '', '' FROM blobs
                WHERE first_kek_id NOT IN (SELECT id FROM master_keys)""",
            "UPDATE blobs SET kek_id = first_kek_id",
            "DROP INDEX blobs_kek",
            "CREATE INDEX blobs_kek ON blobs(kek_id, id)",
            "ALTER TABLE master_keys ADD COLUMN uses {INT} NOT NULL DEFAULT 0",
        ),
    ),
    Migration(
        "0006_care",
        (
            # What one process at a time does, and until when it is alone at it.
            "CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until TEXT NOT NULL)",
            # What was last found damaged. A mark refuses nothing.
            """CREATE TABLE damage (
                kind TEXT NOT NULL, subject TEXT NOT NULL, problem TEXT NOT NULL, found_at TEXT NOT NULL,
                PRIMARY KEY (kind, subject))""",
            # Objects that were in the store and in no row when somebody looked; removed when it is so again.
            "CREATE TABLE orphans (blob_id TEXT PRIMARY KEY, found_at TEXT NOT NULL)",
        ),
    ),
    Migration(
        "0007_sessions",
        (
            """CREATE TABLE sessions (
                digest TEXT PRIMARY KEY, token_id {INT} NOT NULL REFERENCES tokens(id) ON DELETE CASCADE,
                created_at TEXT NOT NULL, expires_at TEXT NOT NULL)""",
            "CREATE INDEX sessions_token ON sessions(token_id)",
        ),
    ),
    Migration(
        "0008_pepper",
        # One row where a key service keeps the keys, none where a keyring has the pepper.
        ("CREATE TABLE peppers (kek_id TEXT PRIMARY KEY REFERENCES master_keys(id), wrapped {BLOB} NOT NULL)",),
    ),
    Migration(
        "0009_audit",
        (
            # How far each chain of the audit log was; a chain that is shorter now was cut.
            """CREATE TABLE audit_heads (
                chain TEXT PRIMARY KEY, host TEXT NOT NULL, seq {INT} NOT NULL, hash TEXT NOT NULL,
                first_seq {INT} NOT NULL, first_prev TEXT NOT NULL, updated_at TEXT NOT NULL)""",
            """CREATE TABLE audit_events (
                id {ID}, chain TEXT NOT NULL, seq {INT} NOT NULL, created_at TEXT NOT NULL, actor TEXT,
                author_id {INT} NOT NULL, token_id TEXT, ip TEXT, action TEXT NOT NULL, target TEXT NOT NULL,
                entity_type TEXT NOT NULL, entity_id {INT} NOT NULL, status {INT} NOT NULL, request_id TEXT NOT NULL,
                times {INT} NOT NULL)""",
            "CREATE INDEX audit_events_entity ON audit_events(entity_type, entity_id, id)",
            "CREATE INDEX audit_events_age ON audit_events(created_at, id)",
        ),
    ),
    Migration(
        "0010_many_rows",
        (
            # The files of all projects, soonest to expire first and those that never do at the end; and by name.
            """CREATE INDEX secure_files_soonest ON secure_files(
                (CASE WHEN expires_at IS NULL THEN 1 ELSE 0 END), expires_at, id)""",
            "CREATE INDEX secure_files_name ON secure_files(name, project_id)",
            # The projects that everybody may see; those of a namespace, with all that lists and searches ask of them
            # before one is shown; those that somebody made.
            "CREATE INDEX projects_open ON projects(id) WHERE visibility <> 'private'",
            "DROP INDEX projects_namespace",
            "CREATE INDEX projects_namespace ON projects(namespace_id, visibility, path_key, id)",
            "CREATE INDEX projects_creator ON projects(creator_id, id)",
        ),
    ),
    Migration(
        "0011_failing_notices",
        # Since when a notice does not reach its recipient; none where it did, or was not tried yet.
        ("ALTER TABLE notices ADD COLUMN failing_since TEXT",),
    ),
    Migration(
        "0012_lfs",
        (
            # What the pointers of a project's repository stand for; the checksum is the object's id in Git LFS.
            """CREATE TABLE lfs_objects (
                id {ID}, project_id {INT} NOT NULL, checksum TEXT NOT NULL, size {INT} NOT NULL,
                blob_id TEXT NOT NULL REFERENCES blobs(id), created_at TEXT NOT NULL, UNIQUE (project_id, checksum))""",
            "CREATE UNIQUE INDEX lfs_objects_blob ON lfs_objects(blob_id)",
        ),
    ),
    Migration(
        "0013_redirects",
        (
            # Paths where projects lay before they were renamed or moved; no path that is one now is among them.
            """CREATE TABLE redirects (
                path_key TEXT PRIMARY KEY, project_id {INT} NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
                created_at TEXT NOT NULL)""",
            "CREATE INDEX redirects_project ON redirects(project_id)",
        ),
    ),
)
