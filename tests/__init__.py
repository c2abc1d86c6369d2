"""The suite: mirrors the packages."""

import pytest

pytest.register_assert_rewrite("tests.database_suite")
