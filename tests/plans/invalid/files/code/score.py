"""Answers nothing."""
