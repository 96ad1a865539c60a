"""Servers for what only a real one can get wrong."""

from tests.servers import blobs, buckets, postgres

__all__ = ["blobs", "buckets", "postgres"]
