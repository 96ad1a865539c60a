"""Places where journals are kept."""
