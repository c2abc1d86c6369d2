"""What kinds of artifacts a job may leave, and in which format each comes: app/models/ci/job_artifact.rb."""

from __future__ import annotations

from vault.errors import Invalid

ARCHIVE, TRACE = "archive", "trace"
FORMATS = ("zip", "gzip", "raw")
_BY_FORMAT = {
    "zip": "archive lsif",
    "gzip": (
        "metadata metrics metrics_referee network_referee dotenv cobertura jacoco cluster_applications cyclonedx "
        "annotations repository_xray junit sarif"
    ),
    "raw": (
        "trace sast secret_detection dependency_scanning container_scanning cluster_image_scanning dast codequality "
        "license_scanning performance browser_performance load_performance terraform requirements requirements_v2 "
        "coverage_fuzzing api_fuzzing accessibility"
    ),
}
FORMAT_OF = {file_type: file_format for file_format, types in _BY_FORMAT.items() for file_type in types.split()}


def check_format(file_type: str, file_format: str) -> None:
    """Refuse a format that the type does not come in. Raises `Invalid`."""
    if FORMAT_OF[file_type] != file_format:
        raise Invalid("artifact_format", "Invalid file format with specified file type")
