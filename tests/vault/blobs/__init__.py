import pytest

pytest.register_assert_rewrite("tests.blobstore_suite")
