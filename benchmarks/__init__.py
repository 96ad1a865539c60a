"""Benchmarks: each prints its table; nothing here is a test."""
