"""SQL of repositories: where each lies, and facts of git objects, which never change and so never go stale."""

from __future__ import annotations

# Where a project's repository lies; its folder's name is random, so that no later project is ever given it.
REPOSITORY = "SELECT folder, empty FROM repositories WHERE project_id = :project"
REPOSITORIES = "SELECT project_id, folder FROM repositories ORDER BY project_id"
ADD_REPOSITORY = """INSERT INTO repositories (project_id, folder, empty, created_at)
    VALUES (:project, :folder, 1, :now) ON CONFLICT (project_id) DO NOTHING"""
SET_EMPTY = "UPDATE repositories SET empty = :empty WHERE project_id = :project"
# The branch that a new repository got first is the project's, unless its own came meanwhile.
SET_DEFAULT_BRANCH = "UPDATE projects SET default_branch = :branch WHERE id = :project"
DELETE_REPOSITORY = "DELETE FROM repositories WHERE project_id = :project RETURNING folder"
NOTE_REMOVAL = "INSERT INTO repository_removals (folder, noted_at) VALUES (:folder, :now)"
# Not while a backup is under way: its copy of the catalog may name them.
REMOVALS = """SELECT folder FROM repository_removals
    WHERE NOT EXISTS (SELECT 1 FROM leases WHERE name = 'backup' AND until > :now) ORDER BY folder LIMIT :limit"""
ANY_REMOVALS = "SELECT folder FROM repository_removals"
REMOVED = "DELETE FROM repository_removals WHERE folder = :folder"

BLOB_FACTS = "SELECT size, sha256 FROM git_blobs WHERE project_id = :project AND blob_id = :blob"
ADD_BLOB_FACTS = """INSERT INTO git_blobs (project_id, blob_id, size, sha256)
    VALUES (:project, :blob, :size, :sha256) ON CONFLICT (project_id, blob_id) DO NOTHING"""
DELETE_BLOB_FACTS = "DELETE FROM git_blobs WHERE project_id = :project"

LAST_COMMITS = "SELECT commit_id, last_commit_id FROM git_last_commits WHERE project_id = :project AND path = :path"
ADD_LAST_COMMIT = """INSERT INTO git_last_commits (project_id, path, commit_id, last_commit_id)
    VALUES (:project, :path, :commit, :last) ON CONFLICT (project_id, path, commit_id) DO NOTHING"""
DELETE_LAST_COMMITS = "DELETE FROM git_last_commits WHERE project_id = :project"
