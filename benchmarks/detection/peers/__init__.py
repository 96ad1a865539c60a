"""Other tools' rules as models, written from their sources."""
