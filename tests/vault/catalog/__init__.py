import pytest

pytest.register_assert_rewrite("tests.database_suite")
