import pytest

from tests.blobstore_suite import BlobStoreSuite
from vault.blobs.memory import MemoryBlobs


class TestMemoryBlobs(BlobStoreSuite):
    """The store in memory keeps the contract."""

    @pytest.fixture
    def store(self):
        return MemoryBlobs()
