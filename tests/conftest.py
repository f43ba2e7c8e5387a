"""What must be set before any test is collected."""

import pytest

# The contract's checks are in a module of their own, whose assertions are to explain themselves too.
pytest.register_assert_rewrite("tests.consumers.contract")
