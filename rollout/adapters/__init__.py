"""The ports, bound to the real world."""
