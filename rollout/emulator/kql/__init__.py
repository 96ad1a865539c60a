"""A small, honest part of the Kusto Query Language: what it does not know it refuses."""
