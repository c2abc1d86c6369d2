"""The objects that answers are made of, field by field; what they mean stands in `docs/api.md`."""

from __future__ import annotations

from server.describing import ANYTHING, DATE, FLAG, NULL, NUMBER, SECONDS, TEXT, TIME, Shape, many, maybe, one_of
from vault.models import RepositoryAccess, Role, Visibility
from vault.pipelines import STATUSES

NAME_MAP = {"type": "object"}
VISIBILITY = one_of(*(str(each) for each in Visibility))
REPOSITORY_ACCESS = one_of(*(str(each) for each in RepositoryAccess))
LEVEL = one_of(*(int(role) for role in Role if role > Role.NONE))
STATUS = one_of(*STATUSES)

# Secure files

_SECURE_FILE = {
    "id": NUMBER,
    "name": TEXT,
    "checksum": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "checksum_algorithm": one_of("sha256"),
    "created_at": TIME,
    "expires_at": maybe(TIME),
    "metadata": maybe(ANYTHING),
    "metadata_error": maybe(TEXT),
    "file_extension": maybe(TEXT),
}
SECURE_FILE = Shape("SecureFile", _SECURE_FILE)
SECURE_FILE_ANYWHERE = Shape(
    "SecureFileAnywhere", {**_SECURE_FILE, "kind": maybe(TEXT), "project_id": NUMBER, "project": TEXT}
)
PLACE = Shape("Place", {"id": NUMBER, "name": TEXT})
FINDING = Shape(
    "Finding",
    {
        "code": TEXT,
        "severity": one_of("error", "warning", "note"),
        "what": TEXT,
        "files": many(ANYTHING),
        "what_to_do": TEXT,
        "expires_at": maybe(TEXT),
    },
)

# Users, their tokens, groups, projects, members

_USER = {
    "id": NUMBER,
    "username": TEXT,
    "name": TEXT,
    "state": TEXT,
    "locked": FLAG,
    "avatar_url": NULL,
    "web_url": TEXT,
}
_USER_MORE = {
    "created_at": TIME,
    "email": TEXT,
    "is_admin": FLAG,
    "bot": FLAG,
    "can_create_group": FLAG,
    "can_create_project": FLAG,
}
SHORT_USER = Shape("ShortUser", _USER)
FULL_USER = Shape("FullUser", {**_USER, **_USER_MORE})
USER = Shape("User", _USER, _USER_MORE)
_TOKEN = {
    "id": NUMBER,
    "name": TEXT,
    "revoked": FLAG,
    "created_at": TIME,
    "description": NULL,
    "scopes": many(TEXT),
    "user_id": NUMBER,
    "last_used_at": maybe(TIME),
    "active": FLAG,
    "expires_at": maybe(DATE),
}
TOKEN = Shape("Token", _TOKEN)
NEW_TOKEN = Shape("NewToken", {**_TOKEN, "token": TEXT})
GROUP = Shape(
    "Group",
    {
        "id": NUMBER,
        "web_url": TEXT,
        "name": TEXT,
        "path": TEXT,
        "description": maybe(TEXT),
        "visibility": VISIBILITY,
        "full_name": TEXT,
        "full_path": TEXT,
        "created_at": TIME,
        "parent_id": maybe(NUMBER),
        "avatar_url": NULL,
    },
)
NAMESPACE = Shape(
    "Namespace",
    {
        "id": NUMBER,
        "name": TEXT,
        "path": TEXT,
        "kind": one_of("group", "user"),
        "full_path": TEXT,
        "parent_id": maybe(NUMBER),
        "avatar_url": NULL,
        "web_url": TEXT,
    },
)
ACCESS = Shape("Access", {"access_level": NUMBER, "notification_level": NUMBER})
PROJECT = Shape(
    "Project",
    {
        "id": NUMBER,
        "description": maybe(TEXT),
        "name": TEXT,
        "name_with_namespace": TEXT,
        "path": TEXT,
        "path_with_namespace": TEXT,
        "created_at": TIME,
        "default_branch": TEXT,
        "tag_list": many(TEXT),
        "topics": many(TEXT),
        "http_url_to_repo": TEXT,
        "ssh_url_to_repo": NULL,
        "web_url": TEXT,
        "readme_url": NULL,
        "avatar_url": NULL,
        "forks_count": NUMBER,
        "star_count": NUMBER,
        "last_activity_at": TIME,
        "namespace": NAMESPACE,
        "visibility": VISIBILITY,
        "archived": FLAG,
        "empty_repo": FLAG,
        "creator_id": maybe(NUMBER),
        "repository_access_level": REPOSITORY_ACCESS,
        "public_jobs": FLAG,
        "permissions": Shape("Permissions", {"project_access": maybe(ACCESS), "group_access": maybe(ACCESS)}),
    },
)
MEMBER = Shape(
    "Member",
    {**_USER, "access_level": LEVEL, "created_at": TIME, "expires_at": maybe(DATE), "membership_state": TEXT},
)

# Pipelines, jobs and what they leave

PIPELINE = Shape(
    "Pipeline",
    {
        "id": NUMBER,
        "iid": NUMBER,
        "project_id": NUMBER,
        "sha": maybe(TEXT),
        "ref": TEXT,
        "status": STATUS,
        "source": one_of("api", "parent_pipeline"),
        "created_at": TIME,
        "updated_at": TIME,
        "web_url": TEXT,
    },
)
_JOB = {
    "id": NUMBER,
    "status": STATUS,
    "stage": TEXT,
    "name": TEXT,
    "ref": TEXT,
    "tag": FLAG,
    "coverage": NULL,
    "allow_failure": FLAG,
    "created_at": TIME,
    "started_at": maybe(TIME),
    "finished_at": maybe(TIME),
    "duration": maybe(SECONDS),
    "queued_duration": NULL,
    "failure_reason": maybe(TEXT),
    "user": SHORT_USER,
    "commit": NULL,
    "pipeline": PIPELINE,
    "web_url": TEXT,
    "project": Shape("JobProject", {"ci_job_token_scope_enabled": FLAG}),
    "artifacts": many(
        Shape("ArtifactOfJob", {"file_type": TEXT, "size": NUMBER, "filename": TEXT, "file_format": TEXT})
    ),
    "artifacts_expire_at": maybe(TIME),
    "runner": NULL,
    "tag_list": many(TEXT),
}
_ARTIFACTS_FILE = {"artifacts_file": Shape("ArtifactsFile", {"filename": TEXT, "size": NUMBER})}
JOB = Shape("Job", _JOB, _ARTIFACTS_FILE)
NEW_JOB = Shape("NewJob", {**_JOB, "token": TEXT}, _ARTIFACTS_FILE)
ARTIFACT = Shape(
    "Artifact",
    {
        "message": TEXT,
        "file_type": TEXT,
        "file_format": TEXT,
        "filename": TEXT,
        "size": NUMBER,
        "sha256": TEXT,
        "expire_at": maybe(TIME),
    },
)
ENTRY = Shape(
    "Entry",
    {
        "name": TEXT,
        "path": TEXT,
        "type": one_of("file", "directory"),
        "size": maybe(NUMBER),
        "mode": maybe(TEXT),
        "crc32": maybe(TEXT),
    },
)

# Markdown uploads

NEW_UPLOAD = Shape("NewUpload", {"id": NUMBER, "alt": TEXT, "url": TEXT, "full_path": TEXT, "markdown": TEXT})
UPLOAD = Shape(
    "Upload",
    {
        "id": NUMBER,
        "size": NUMBER,
        "filename": TEXT,
        "created_at": TIME,
        "uploaded_by": maybe(Shape("Uploader", {"id": NUMBER, "name": TEXT, "username": TEXT})),
    },
)

# Repository files

REPOSITORY_FILE = Shape(
    "RepositoryFile",
    {
        "file_name": TEXT,
        "file_path": TEXT,
        "size": NUMBER,
        "encoding": one_of("base64"),
        "content": {"type": "string", "contentEncoding": "base64"},
        "content_sha256": TEXT,
        "ref": TEXT,
        "blob_id": TEXT,
        "commit_id": TEXT,
        "last_commit_id": TEXT,
        "execute_filemode": FLAG,
    },
)
WRITTEN = Shape(
    "Written", {"file_path": TEXT, "branch": TEXT, "commit_id": TEXT, "blob_id": TEXT, "content_sha256": TEXT}
)
COMMIT = Shape(
    "Commit",
    {
        "id": TEXT,
        "parent_ids": many(TEXT),
        "message": TEXT,
        "authored_date": TEXT,
        "author_name": TEXT,
        "author_email": TEXT,
        "committed_date": TEXT,
        "committer_name": TEXT,
        "committer_email": TEXT,
    },
)
BLAME_RANGE = Shape("BlameRange", {"commit": COMMIT, "lines": many(TEXT)})

# The audit log

AUDIT_EVENT = Shape(
    "AuditEvent",
    {
        "id": NUMBER,
        "author_id": NUMBER,
        "entity_id": NUMBER,
        "entity_type": TEXT,
        "details": Shape(
            "AuditDetails",
            {
                "event_name": TEXT,
                "custom_message": TEXT,
                "author_name": TEXT,
                "author_email": maybe(TEXT),
                "target_id": TEXT,
                "target_type": TEXT,
                "target_details": TEXT,
                "ip_address": maybe(TEXT),
                "entity_path": TEXT,
                "status": NUMBER,
                "token_id": maybe(TEXT),
                "request_id": TEXT,
                "times": NUMBER,
            },
        ),
        "created_at": TIME,
    },
)

# Whether it is there

CHECKS = ("master", "catalog", "blobs", "keyring", "parsers", "disk", "audit")
HEALTH = Shape("Health", {"status": TEXT}, {f"{name}_check": many(ANYTHING) for name in CHECKS})
VERSION = Shape("Version", {"version": TEXT, "revision": TEXT})
METADATA = Shape(
    "ServerMetadata",
    {"version": TEXT, "revision": TEXT, "kas": ANYTHING, "enterprise": FLAG, "external_url": TEXT},
)
