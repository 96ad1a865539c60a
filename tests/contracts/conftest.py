"""Servers for the stores' contract, and asserts of it that tell what they compared."""

import pytest

from tests.servers import blobs, buckets, postgres

__all__ = ["blobs", "buckets", "postgres"]

pytest.register_assert_rewrite("rollout.testing.stores", "rollout.testing.shared_stores")
