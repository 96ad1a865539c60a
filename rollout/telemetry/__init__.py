"""Observers of a run: log lines."""
