"""The tables whose rows have a sealed object each: under a table's name its objects are sealed."""

from __future__ import annotations

FAMILIES = {
    "secure_files": "secure file",
    "uploads": "upload",
    "artifacts": "artifact",
    "lfs_objects": "Git LFS object",
}
"""What people call a row of each."""
