"""Measurements of any endpoint, from the counters that a Prometheus server has scraped."""
