"""Contracts that an adapter of one's own is tested with; they need pytest."""
