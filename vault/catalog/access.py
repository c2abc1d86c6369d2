"""SQL of users, namespaces, projects, members and tokens."""

from __future__ import annotations

# Instance -------------------------------------------------------------------------------------------------------------

INSTANCE_VALUE = "SELECT value FROM instance WHERE name = :name"
SET_INSTANCE_VALUE = "INSERT INTO instance (name, value) VALUES (:name, :value)"

# Users ----------------------------------------------------------------------------------------------------------------

USER = "SELECT * FROM users WHERE id = :id"
USER_BY_NAME = "SELECT * FROM users WHERE username_key = :key"
ANY_ADMIN = "SELECT * FROM users WHERE is_admin = 1 ORDER BY id LIMIT 1"
USERS_FILTERED = """FROM users WHERE (CAST(:key AS TEXT) IS NULL OR username_key = :key)
    AND (CAST(:term AS TEXT) IS NULL OR username_key LIKE :term ESCAPE '!')"""
USERS = f"SELECT * {USERS_FILTERED} ORDER BY id DESC LIMIT :size OFFSET :offset"
USERS_COUNT = f"SELECT COUNT(*) AS n FROM (SELECT 1 AS one {USERS_FILTERED} LIMIT :most) AS counted"  # noqa: S608
ADD_USER = """INSERT INTO users (username, username_key, name, email, state, is_admin, created_at)
    VALUES (:username, :key, :name, :email, 'active', :is_admin, :now) RETURNING *"""

# Namespaces -----------------------------------------------------------------------------------------------------------

NAMESPACE = "SELECT * FROM namespaces WHERE id = :id"
NAMESPACE_BY_PATH = "SELECT * FROM namespaces WHERE path_key = :key"
NAMESPACE_OF_USER = "SELECT * FROM namespaces WHERE kind = 'user' AND owner_id = :user"
ADD_NAMESPACE = """INSERT INTO namespaces
    (kind, name, path, full_path, path_key, parent_id, owner_id, visibility, description, created_at)
    VALUES (:kind, :name, :path, :full_path, :key, :parent, :owner, :visibility, :description, :now) RETURNING *"""
UPDATE_GROUP = """UPDATE namespaces SET name = :name, description = :description, visibility = :visibility
    WHERE id = :id RETURNING *"""
MOVE_NAMESPACE = "UPDATE namespaces SET path = :path, full_path = :full_path, path_key = :key WHERE id = :id"
DELETE_NAMESPACE = "DELETE FROM namespaces WHERE id = :id"
CHILD_NAMESPACES = "SELECT * FROM namespaces WHERE parent_id = :id"
# A caller sees a group that is public, internal (signed in), or one he is a member of, or all as administrator.
GROUPS_VISIBLE = """FROM namespaces n WHERE n.kind = 'group' AND (:admin = 1 OR n.visibility <> 'private'
    OR EXISTS (SELECT 1 FROM namespaces g JOIN members m ON m.source_kind = 'group' AND m.source_id = g.id
               WHERE (n.path_key = g.path_key OR substr(n.path_key, 1, length(g.path_key) + 1) = g.path_key || '/')
               AND m.user_id = :user AND (m.expires_at IS NULL OR m.expires_at > :today)))
    AND (CAST(:term AS TEXT) IS NULL OR n.path_key LIKE :term ESCAPE '!')"""
GROUPS = f"SELECT n.* {GROUPS_VISIBLE} ORDER BY n.path_key, n.id LIMIT :size OFFSET :offset"
GROUPS_COUNT = f"SELECT COUNT(*) AS n FROM (SELECT 1 AS one {GROUPS_VISIBLE} LIMIT :most) AS counted"  # noqa: S608

# Projects -------------------------------------------------------------------------------------------------------------

PROJECT = "SELECT * FROM projects WHERE id = :id"
PROJECT_BY_PATH = "SELECT * FROM projects WHERE path_key = :key"
ADD_PROJECT = """INSERT INTO projects
    (namespace_id, name, path, full_path, path_key, description, default_branch, visibility, archived, settings,
     creator_id, created_at, last_activity_at)
    VALUES (:namespace, :name, :path, :full_path, :key, :description, :default_branch, :visibility, 0, :settings,
     :creator, :now, :now) RETURNING *"""
UPDATE_PROJECT = """UPDATE projects SET name = :name, description = :description, default_branch = :default_branch,
    visibility = :visibility, settings = :settings WHERE id = :id RETURNING *"""
MOVE_PROJECT = """UPDATE projects SET namespace_id = :namespace, path = :path, full_path = :full_path, path_key = :key
    WHERE id = :id"""
DELETE_PROJECT = "DELETE FROM projects WHERE id = :id"
PROJECTS_IN = "SELECT * FROM projects WHERE namespace_id = :id"

# Paths where projects lay once; asked for only when nothing lies there now.
FORMER_PROJECT = "SELECT p.* FROM redirects r JOIN projects p ON p.id = r.project_id WHERE r.path_key = :key"
ADD_REDIRECT = "INSERT INTO redirects (path_key, project_id, created_at) VALUES (:key, :project, :now)"
DELETE_REDIRECT = "DELETE FROM redirects WHERE path_key = :key"
DELETE_REDIRECTS_BELOW = "DELETE FROM redirects WHERE path_key LIKE :below ESCAPE '!'"

# Members --------------------------------------------------------------------------------------------------------------

MEMBER_LEVEL = """SELECT access_level FROM members WHERE source_kind = :kind AND source_id = :source AND user_id = :user
    AND (expires_at IS NULL OR expires_at > :today)"""
MEMBERS = """SELECT m.access_level, m.expires_at AS member_expires_at, m.created_at AS member_created_at, u.*
    FROM members m JOIN users u ON u.id = m.user_id
    WHERE m.source_kind = :kind AND m.source_id = :source ORDER BY u.id"""
PUT_MEMBER = """INSERT INTO members (source_kind, source_id, user_id, access_level, expires_at, created_at)
    VALUES (:kind, :source, :user, :level, :expires_at, :now)
    ON CONFLICT (source_kind, source_id, user_id)
    DO UPDATE SET access_level = excluded.access_level, expires_at = excluded.expires_at"""
DELETE_MEMBER = """DELETE FROM members WHERE source_kind = :kind AND source_id = :source AND user_id = :user
    RETURNING user_id"""
DELETE_MEMBERS = "DELETE FROM members WHERE source_kind = :kind AND source_id = :source"

# Tokens ---------------------------------------------------------------------------------------------------------------

_WITH_USER = """SELECT t.id AS token_id, t.name AS token_name, t.scopes, t.expires_at, t.revoked, t.last_used_at,
    t.digest, u.* FROM tokens t JOIN users u ON u.id = t.user_id"""
TOKEN_BY_DIGEST = f"{_WITH_USER} WHERE t.digest = :digest"
TOKEN_BY_ID = f"{_WITH_USER} WHERE t.id = :id"
TOKEN = "SELECT * FROM tokens WHERE id = :id"
TOKENS_OF_USER = "SELECT * FROM tokens WHERE user_id = :user ORDER BY id DESC"
ADD_TOKEN = """INSERT INTO tokens (user_id, name, digest, hint, scopes, created_at, expires_at, revoked)
    VALUES (:user, :name, :digest, :hint, :scopes, :now, :expires_at, 0) RETURNING *"""
REVOKE_TOKEN = "UPDATE tokens SET revoked = 1 WHERE id = :id"
TOUCH_TOKEN = """UPDATE tokens SET last_used_at = :now
    WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :minute)"""
